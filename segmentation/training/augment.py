"""Random views of training slices: geometry, then contrast.

Masks exist on T2 SPACE only, yet T1 and ordinary T2 must work too: contrast is therefore varied far beyond what
a scanner does (curves that are not monotone, part inversion, structures recoloured one by one), geometry only as
anatomy allows. There is no flip: front and back are not alike.

All random numbers come from one ``numpy`` generator, so that a resumed run draws what an unbroken one would.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from segmentation.config import NetworkConfig
from segmentation.model import LEVEL_STRIDE
from segmentation.training.config import ViewConfig
from segmentation.training.data import CLASSES, LEVELS, UNKNOWN, TrainingSlice

POINT_SIGMA = 1.5
"""Standard deviation of a point's Gaussian, in pixels of the level map."""


@dataclass(frozen=True)
class Batch:
    """B crops.

    Attributes:
        images: (B, N, H, W), 0 to 1; N is 1, or 3 with the neighbours of each slice.
        masks: (B, S, H, W), 0 or 1.
        mask_weight: (B, S, H, W), 0 where nothing is known.
        levels: (B, L, H / 4, W / 4) Gaussians at the points.
        level_weight: (B, L), 1 where it is known whether and where the level is in view.
    """

    images: Tensor
    masks: Tensor
    mask_weight: Tensor
    levels: Tensor
    level_weight: Tensor


@dataclass(frozen=True)
class Sample:
    """A training slice and its neighbours.

    Attributes:
        item: The slice.
        before: The slice before it; None at an end, or when it is to be seen alone.
        after: The slice after it, likewise.
    """

    item: TrainingSlice
    before: TrainingSlice | None = None
    after: TrainingSlice | None = None


class ViewMaker:
    """Draws views for one network.

    Args:
        config: Which structures and levels it has, and how many slices enter.
        crop_px: (rows, columns) of a crop.
    """

    def __init__(self, config: NetworkConfig, crop_px: tuple[int, int]) -> None:
        self.crop_px, self.context = crop_px, config.context_slices
        self.values = [_values_of(name) for name in config.structures]
        self.classes = [CLASSES.index(name) for name in config.structures]
        self.levels = [LEVELS.index(name) for name in config.levels]

    def make_batch(self, samples: Sequence[Sample], view: ViewConfig, rng: np.random.Generator) -> Batch:
        """Draw one random view of each slice."""
        views = [self._view(sample, view, rng) for sample in samples]
        columns = [torch.stack(column) for column in zip(*views, strict=True)]
        return Batch(*columns)

    def _view(self, sample: Sample, view: ViewConfig, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return image, masks, mask weight, levels and level weight of one crop."""
        item = sample.item
        to_source = _draw_affine(item, self.crop_px, view, rng)
        labels = self._labels(item, to_source)
        masks = self._masks(labels)
        image = self._images(sample, to_source)
        if item.weight == 1.0 and item.known[0] and rng.random() < 0.4 * view.contrast:
            others = (
                [
                    masks if other is None else self._masks(self._labels(other, to_source))
                    for other in (sample.before, sample.after)
                ]
                if self.context
                else []
            )
            stack = [others[0], masks, others[1]] if self.context else [masks]
            image = recolour_structures(image, torch.stack(stack), rng)
        if rng.random() < 0.8 * view.contrast:
            image = vary_contrast(image, rng)
        points = item.points[self.levels]
        known_levels = torch.full((len(self.levels),), float(item.has_points))
        return (
            image,
            masks,
            self._weight(item, labels),
            _draw_points(points, to_source, self.crop_px),
            known_levels,
        )

    def _images(self, sample: Sample, to_source: Tensor) -> Tensor:
        """Return (N, H, W) of 0 to 1."""
        slices = [sample.before, sample.item, sample.after] if self.context else [sample.item]
        planes = np.stack([(item or sample.item).image for item in slices])
        return _sample(torch.from_numpy(planes).float() / 255, to_source, self.crop_px, "bilinear")

    def _labels(self, item: TrainingSlice, to_source: Tensor) -> Tensor:
        """Return (H, W) labels; outside the slice 0."""
        source = torch.from_numpy(item.labels).float()[None]
        return _sample(source, to_source, self.crop_px, "nearest")[0].round()

    def _masks(self, labels: Tensor) -> Tensor:
        """Return (S, H, W) of 0 and 1."""
        masks = [torch.stack([labels == value for value in values]).any(0) for values in self.values]
        return torch.stack(masks).float()

    def _weight(self, item: TrainingSlice, labels: Tensor) -> Tensor:
        """Return (S, H, W): 1 where it is known whether a pixel belongs to the structure.

        Where a structure is not labelled, the pixels of others that are labelled are known not to be its own;
        only canal pixels may still be cord.
        """
        is_labelled = (labels != UNKNOWN).float()
        others = ((labels == 1) | (labels == 2)).float()
        canal = (labels == 3).float()
        weights = []
        for index in self.classes:
            if item.known[index]:
                weights.append(is_labelled)
            else:
                weights.append(others if CLASSES[index] == "spinal_cord" else others + canal)
        return torch.stack(weights) * item.weight


def _values_of(structure: str) -> tuple[int, ...]:
    """Return the labels whose pixels belong to a structure: the cord lies in the canal."""
    own = CLASSES.index(structure) + 1
    return (own, CLASSES.index("spinal_cord") + 1) if structure == "spinal_canal" else (own,)


def _draw_affine(
    item: TrainingSlice, crop_px: tuple[int, int], view: ViewConfig, rng: np.random.Generator
) -> Tensor:
    """Draw the (2, 3) matrix from crop pixel (x, y, 1) to source pixel (x, y)."""
    rows, columns = item.image.shape
    out_rows, out_columns = crop_px
    angle = math.radians(rng.uniform(-view.angle_deg, view.angle_deg))
    if rng.random() < view.whole_share:  # the whole slice in view: what prediction sees, smaller
        scale = min(out_rows / rows, out_columns / columns) * rng.uniform(0.95, 1.1)
        centre = np.array([columns / 2, rows / 2]) + rng.uniform(-0.04, 0.04, 2) * (columns, rows)
    else:
        scale = math.exp(rng.uniform(math.log(view.scale_low), math.log(view.scale_high)))
        centre = _focus(item) + rng.uniform(-view.shift, view.shift, 2) * (out_columns, out_rows) / scale
    stretch = np.exp(rng.uniform(-0.08, 0.08, 2))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag(stretch) / scale
    middle = np.array([(out_columns - 1) / 2, (out_rows - 1) / 2])
    return torch.from_numpy(np.column_stack([linear, centre - linear @ middle])).float()


def _focus(item: TrainingSlice) -> NDArray[np.float64]:
    """Return where the spine is: the middle of the points, of the mask, or of the slice."""
    if item.has_points:
        middle: NDArray[np.float64] = np.nanmean(item.points.astype(np.float64), axis=0)
        return middle
    y, x = np.nonzero((item.labels > 0) & (item.labels != UNKNOWN))
    if len(x):
        return np.array([x.mean(), y.mean()])
    return np.array([item.image.shape[1] / 2, item.image.shape[0] / 2])


def _sample(planes: Tensor, to_source: Tensor, crop_px: tuple[int, int], mode: str) -> Tensor:
    """Sample (C, H, W) planes at the crop's pixels; zero outside."""
    rows, columns = planes.shape[-2:]
    y, x = torch.meshgrid(torch.arange(crop_px[0]), torch.arange(crop_px[1]), indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1).float() @ to_source.T  # source pixels
    grid = (places + 0.5) * 2 / torch.tensor([columns, rows]) - 1
    return functional.grid_sample(planes[None], grid[None], mode=mode, padding_mode="zeros", align_corners=False)[
        0
    ]


def _draw_points(points: NDArray[np.float32], to_source: Tensor, crop_px: tuple[int, int]) -> Tensor:
    """Draw a Gaussian per point on the grid of the level maps; nothing for a point out of view or unknown."""
    rows, columns = crop_px[0] // LEVEL_STRIDE, crop_px[1] // LEVEL_STRIDE
    source = torch.from_numpy(points)
    crop = (source - to_source[:, 2]) @ torch.linalg.inv(to_source[:, :2]).T
    place = (crop + 0.5) / LEVEL_STRIDE - 0.5  # (L, 2) x, y on the level map
    y, x = torch.arange(rows)[None, :, None], torch.arange(columns)[None, None, :]
    squared = (x - place[:, 0, None, None]) ** 2 + (y - place[:, 1, None, None]) ** 2
    maps = torch.exp(-squared / (2 * POINT_SIGMA**2))
    inside = (place > -0.5).all(1) & (place < torch.tensor([columns, rows]) - 0.5).all(1)  # false for nan
    return torch.where(inside[:, None, None], maps, torch.zeros(()))


def recolour_structures(images: Tensor, masks: Tensor, rng: np.random.Generator) -> Tensor:
    """Give each structure a grey level of its own, keeping (or inverting) its texture, alike in all slices.

    Args:
        images: (N, H, W), 0 to 1.
        masks: (N, S, H, W), 0 or 1.
        rng: Draws.
    """
    soft = functional.avg_pool2d(masks, 3, stride=1, padding=1)
    for index in range(masks.shape[1]):
        size = masks[:, index].sum()
        if size < 1 or rng.random() < 0.25:
            continue
        mean = (images * masks[:, index]).sum() / size
        gain = rng.uniform(0.4, 1.4) * (-1 if rng.random() < 0.4 else 1)
        painted = (float(rng.uniform(0.08, 0.9)) + gain * (images - mean)).clamp(0, 1)
        images = images * (1 - soft[:, index]) + painted * soft[:, index]
    return images


def vary_contrast(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary curve, bias field, sharpness and noise of a (N, H, W) image of 0 to 1."""
    draw = rng.random(6)
    if draw[0] < 0.7:
        image = _curve(image, rng, is_monotone=bool(draw[1] < 0.75))
    if draw[2] < 0.4:
        field = torch.from_numpy(rng.normal(0, 0.35, (1, 1, 4, 3))).float()
        image = (
            image * functional.interpolate(field, image.shape[-2:], mode="bicubic", align_corners=True)[0].exp()
        )
    if draw[3] < 0.3:
        image = _blur(image, rng)
    if draw[4] < 0.4:
        noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        image = image + noise * float(rng.uniform(0.01, 0.08))
    if draw[5] < 0.5:
        image = (image - 0.5) * float(rng.uniform(0.8, 1.3)) + 0.5 + float(rng.uniform(-0.1, 0.1))
    return image.clamp(0, 1)


def _curve(image: Tensor, rng: np.random.Generator, *, is_monotone: bool) -> Tensor:
    """Map grey values by a gamma or a random broken line; black stays nearly black, as air does in every scan."""
    if is_monotone and rng.random() < 0.5:
        return image ** float(math.exp(rng.uniform(-0.8, 0.8)))
    heights = rng.uniform(0, 1, 6)
    if is_monotone:
        heights = np.sort(heights)
    heights[0] = rng.uniform(0, 0.1)
    knots = np.array([0.0, 0.08, 0.25, 0.45, 0.7, 1.0])
    return torch.from_numpy(np.interp(image.numpy(), knots, heights).astype(np.float32))


def _blur(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Lose resolution: down and up again, in both directions or along one."""
    rows, columns = image.shape[-2:]
    factors = rng.uniform(0.4, 1.0, 2)
    small = (max(8, int(rows * factors[0])), max(8, int(columns * factors[1])))
    down = functional.interpolate(image[None], small, mode="area")
    return functional.interpolate(down, (rows, columns), mode="bilinear", align_corners=False)[0]
