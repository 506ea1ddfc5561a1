"""A baseline without a network: the mean look of the cord on other volunteers, searched for by correlation.

The slices of the other volunteers give a mean patch about the cord's middle, grey values of each patch scaled to
mean 0 and standard deviation 1, and a mean shape. On a new slice the shape is set where the patch correlates best
(normalised cross-correlation); a place far from the median of the series' slices is searched for again near it.
Whoever is scored is not in the patch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import match_template

from benchmarks.regions.stacks import Mask
from benchmarks.segmentation import Row
from evaluation.segmentation import overlap
from segmentation.preprocess import resize
from segmentation.training.cords import CordVolume, in_plane_spacing, plane_slices
from segmentation.training.data import CLASSES

_PIXEL_MM = 0.5
_HALF_PX = 30  # of the patch: 15 mm, the cord with its canal and some of the bone about it; own choice
_NEAR_PX = 20  # 10 mm from the median place; own choice
_CORD = CLASSES.index("spinal_cord") + 1

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Template:
    """The mean look and shape of a cord, (61, 61) each, pixels of 0.5 mm."""

    patch: Image
    shape: Mask


def score_template(volumes: Sequence[CordVolume], task: str) -> Iterator[Row]:
    """Score axial volumes of one contrast, each by the template of all other people's."""
    slices = {index: _fine_slices(volume) for index, volume in enumerate(volumes)}
    for index, volume in enumerate(volumes):
        others = [pair for i, own in slices.items() if volumes[i].patient != volume.patient for pair in own]
        found = find_cords([image for image, _ in slices[index]], build_template(others))
        dice = overlap(found, np.stack([mask for _, mask in slices[index]])).dice
        yield Row(f"{task} cord Dice", volume.patient, float("nan") if dice is None else dice)


def build_template(slices: Sequence[tuple[Image, Mask]]) -> Template:
    """Average the surroundings of the cords of some slices (H, W)."""
    patches, shapes = [], []
    for image, mask in slices:
        row, column = (round(float(places.mean())) for places in np.nonzero(mask))
        window = (slice(row, row + 2 * _HALF_PX + 1), slice(column, column + 2 * _HALF_PX + 1))
        patch = np.pad(image, _HALF_PX, mode="edge")[window]
        patches.append((patch - patch.mean()) / max(float(patch.std()), 1e-6))
        shapes.append(np.pad(mask, _HALF_PX)[window])
    return Template(np.mean(patches, axis=0), np.mean(shapes, axis=0) >= 0.5)


def find_cords(images: Sequence[Image], template: Template) -> Mask:
    """Return (N, H, W) masks of the cords of one series' slices."""
    maps = [match_template(image, template.patch, pad_input=True) for image in images]  # type: ignore[no-untyped-call]
    places = np.array([np.unravel_index(int(found.argmax()), found.shape) for found in maps])
    middle = np.median(places, axis=0).round().astype(int)
    masks = []
    for found in maps:
        near = np.full(found.shape, -np.inf)
        window = tuple(slice(max(0, m - _NEAR_PX), m + _NEAR_PX + 1) for m in middle)
        near[window] = found[window]
        row, column = np.unravel_index(int(near.argmax()), near.shape)
        masks.append(_set_at(template.shape, int(row), int(column), found.shape))
    return np.stack(masks)


def _set_at(shape: Mask, row: int, column: int, size: tuple[int, ...]) -> Mask:
    """Return a mask of a size with a shape's middle at a pixel; what lies outside is cut off."""
    wide = np.zeros((size[0] + 2 * _HALF_PX, size[1] + 2 * _HALF_PX), dtype=bool)
    wide[row : row + len(shape), column : column + len(shape)] = shape
    return wide[_HALF_PX:-_HALF_PX, _HALF_PX:-_HALF_PX]


def _fine_slices(volume: CordVolume) -> list[tuple[Image, Mask]]:
    """Return image and mask of every labelled axial slice, pixels of 0.5 mm."""
    row_mm, column_mm = in_plane_spacing(volume, "axial")
    pairs = []
    for _, image, labels in plane_slices(volume, "axial"):
        size = (round(image.shape[0] * row_mm / _PIXEL_MM), round(image.shape[1] * column_mm / _PIXEL_MM))
        both = torch.from_numpy(np.stack([image, labels == _CORD]).astype(np.float32))[None]
        fine = resize(both, size)[0].numpy()
        if (fine[1] >= 0.5).any():
            pairs.append((fine[0], fine[1] >= 0.5))
    return pairs
