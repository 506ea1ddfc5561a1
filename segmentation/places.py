"""Voxels to millimetres and back, for many points; and what lies nearest to a place in millimetres.

Voxel indices are (i, j, k) = (column, row, slice) of one series, the world is RAS+ mm (x to the patient's right, y
to the front, z to the head).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from imaging.types import AffineMatrix
from segmentation.types import LabelArray

PointList = NDArray[np.float64]
"""Points, (n, 3)."""

_STRIDE = 2
"""Every second voxel of a row and a column is enough to say whose outline a place is nearest to (own choice)."""


def to_ras(affine: AffineMatrix, voxels: object) -> PointList:
    """Return RAS+ mm of voxel indices (n, 3)."""
    ijk = np.asarray(voxels, dtype=np.float64).reshape(-1, 3)
    return np.asarray(ijk @ affine[:3, :3].T + affine[:3, 3], dtype=np.float64)


def to_voxels(affine: AffineMatrix, points: object) -> PointList:
    """Return voxel indices, not rounded, of RAS+ mm points (n, 3)."""
    inverse: AffineMatrix = np.linalg.inv(affine).astype(np.float64)
    return to_ras(inverse, points)


def pixel_places(mask: NDArray[np.bool_], k: int, affine: AffineMatrix) -> PointList:
    """Return RAS+ mm of the pixels of a mask (rows, columns) on slice k, in the order of ``mask[mask]``."""
    rows, columns = np.nonzero(mask)
    return to_ras(affine, np.stack([columns, rows, np.full(len(rows), k)], axis=1))


class NearestLabel:
    """Tells which outlined instance a place is nearest to.

    Places beside the outermost slices are judged by those: a series of the spine's middle does not reach to the
    tips of the transverse processes.

    Args:
        labels: (I, J, K) label numbers.
        affine: Of their series.
        numbers: Labels that count.
    """

    def __init__(self, labels: LabelArray, affine: AffineMatrix, numbers: Iterable[int]) -> None:
        self._affine, self._slices = affine, labels.shape[2]
        thin = labels[::_STRIDE, ::_STRIDE]
        voxels = np.argwhere(np.isin(thin, np.array(sorted(numbers), dtype=np.uint8)))
        self._labels = thin[tuple(voxels.T)]
        voxels[:, :2] *= _STRIDE
        self._tree = cKDTree(to_ras(affine, voxels)) if len(voxels) else None

    def at(self, points: PointList, within_mm: float) -> NDArray[np.uint8]:
        """Return the label nearest to each RAS+ mm point (n, 3); 0 where none lies within ``within_mm``."""
        found = np.zeros(len(points), dtype=np.uint8)
        if self._tree is None or not len(points):
            return found
        voxels = to_voxels(self._affine, points)
        voxels[:, 2] = np.clip(voxels[:, 2], 0, self._slices - 1)
        answer = self._tree.query(to_ras(self._affine, voxels), distance_upper_bound=within_mm)
        distances, nearest = np.asarray(answer[0]), np.asarray(answer[1])
        is_near = np.isfinite(distances)
        found[is_near] = self._labels[nearest[is_near]]
        return found
