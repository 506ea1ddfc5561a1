"""Labels from their own grid onto the grid of a series.

The same grid, the same one stored in another order or a part of it is copied voxel by voxel. Another grid is
sampled at the nearest voxel through the world (RAS+ mm), which is said; labels that lie beside the image are
refused, as they belong to another patient, another scan, or to a file whose orientation was lost on the way.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anatomy.structures import label_codes
from imaging.geometry import source_affine
from imaging.types import AffineMatrix, Series
from runtime.errors import StudyError

_SAME_GRID_VOXELS = 0.02
"""Grids whose corners differ by less than this share of a voxel are one grid; own choice, above the rounding of
affines in float32 headers (nifti1.h keeps them as float)."""
_LEAST_INSIDE = 0.5
"""Labels of which less than this share lies inside the image do not belong to it; own choice: a label map of a
larger field of view may be cut, one of another scan misses it."""
_TOLD_INSIDE = 0.99


@dataclass(frozen=True, eq=False)
class PlacedLabels:
    """Labels on a series.

    Attributes:
        array: (I, J, K) uint8 on the grid of ``series.volume``.
        is_same_grid: Copied, not sampled.
        inside: Share of the labelled volume that lies inside the image.
        notices: What to know, one sentence each.
    """

    array: NDArray[np.uint8]
    is_same_grid: bool
    inside: float
    notices: tuple[str, ...]


def place_labels(array: NDArray[np.uint8], affine: AffineMatrix, series: Series) -> PlacedLabels:
    """Bring labels onto the grid of a series.

    Args:
        array: (I, J, K) our label numbers.
        affine: (4, 4) voxel of ``array`` -> RAS+ mm.
        series: Where they are to lie.

    Raises:
        StudyError: If the series has no place in the world, or the labels do not lie on it.
    """
    volume = series.volume
    if volume.affine is None:
        raise StudyError(
            f"series {series.id}: expected an image with a place in the world to lay labels on, found a picture"
        )
    if _lies_on_grid(array.shape, affine, volume.source_shape, source_affine(volume)):
        return PlacedLabels(_sampled(array, affine, volume.shape, volume.affine), True, 1.0, ())
    inside = share_inside(array, affine, series)
    if inside < _LEAST_INSIDE:
        raise StudyError(
            f"series {series.id}: expected labels that lie on the image, found {inside:.0%} of them inside it"
            f"{_orientation_hint(array, affine, series)}"
        )
    placed = _sampled(array, affine, volume.shape, volume.affine)
    notices = ["Imported labels were sampled onto the image's grid by nearest neighbour."]
    if inside < _TOLD_INSIDE:
        notices.append(f"{1 - inside:.0%} of the imported labels lie outside the image and were left out.")
    lost = sorted(set(np.unique(array).tolist()) - set(np.unique(placed).tolist()))
    if lost:
        names = ", ".join(label_codes()[label].name for label in lost)
        notices.append(f"Imported structures that no voxel of the image meets: {names}.")
    return PlacedLabels(placed, False, inside, tuple(notices))


def share_inside(array: NDArray[np.uint8], affine: AffineMatrix, series: Series) -> float:
    """Return which share of the labelled voxels has its centre inside the image (half a voxel beyond counts)."""
    if series.volume.affine is None:
        return 0.0
    voxels = np.argwhere(array)
    if len(voxels) == 0:
        return 0.0
    to_series = np.linalg.inv(series.volume.affine) @ affine
    at = voxels @ to_series[:3, :3].T + to_series[:3, 3]
    return float(((at > -0.5) & (at < np.array(series.volume.shape) - 0.5)).all(axis=1).mean())


def _lies_on_grid(
    shape: tuple[int, ...],
    affine: AffineMatrix,
    other_shape: tuple[int, ...],
    other_affine: AffineMatrix | None,
) -> bool:
    """Return whether every voxel centre of a grid is one of another's, whatever way their axes run."""
    if other_affine is None:
        return False
    step = np.linalg.inv(other_affine) @ affine
    turned = np.rint(step[:3, :3])
    if not np.array_equal(np.sort(np.abs(turned), axis=0), [[0] * 3, [0] * 3, [1] * 3]):
        return False
    corners = np.array([[*corner, 1] for corner in product(*((0, size - 1) for size in shape))])
    at = corners @ step.T
    off = np.abs(at[:, :3] - np.rint(at[:, :3])).max()
    inside = (at[:, :3] > -0.5) & (at[:, :3] < np.array(other_shape) - 0.5)
    return bool(off < _SAME_GRID_VOXELS and inside.all())


def _sampled(
    array: NDArray[np.uint8], affine: AffineMatrix, shape: tuple[int, int, int], target: AffineMatrix
) -> NDArray[np.uint8]:
    """Return the labels at the voxel centres of another grid, slice by slice (bounded memory)."""
    to_labels = np.linalg.inv(affine) @ target
    columns, rows = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    placed = np.zeros(shape, dtype=np.uint8)
    limit = np.array(array.shape)
    for k in range(shape[2]):
        grid = np.stack([columns, rows, np.full_like(columns, k)], axis=-1)
        at = np.rint(grid @ to_labels[:3, :3].T + to_labels[:3, 3]).astype(np.int64)
        is_inside = ((at >= 0) & (at < limit)).all(axis=-1)
        found = at[is_inside]
        placed[..., k][is_inside] = array[found[:, 0], found[:, 1], found[:, 2]]
    return placed


def _orientation_hint(array: NDArray[np.uint8], affine: AffineMatrix, series: Series) -> str:
    """Return what is wrong when the labels would fit with x and y turned round (LPS written as RAS)."""
    turned = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    if share_inside(array, turned, series) < _TOLD_INSIDE:
        return "; they belong to another image, or their file lost its orientation"
    return (
        "; they would fit with x and y turned round: the file was written in LPS, and NIfTI is RAS. Save it again"
    )
