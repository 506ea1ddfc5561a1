"""Sampling grids: where the phantom is evaluated.

A grid keeps its world coordinates as arrays that only span the voxel axes they depend on: on a sagittal grid x
has shape (1, 1, K) and y, z have (I, J, 1). Shapes that live in the sagittal plane are so computed once for all
slices. A slice is cut into an odd number of sub-slices, whose mean signal gives partial volume; the middle one
lies at the voxel centres and carries the labels.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.setup import SeriesRow
from imaging.types import AffineMatrix

Coordinates = NDArray[np.float32]
"""World coordinate in mm, of a shape that broadcasts to the grid."""

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lower and upper corner in RAS+ mm."""


@dataclass(frozen=True)
class Grid:
    """A regular grid of sample points.

    Attributes:
        affine: (4, 4) voxel (i, j, k) of the slices -> RAS+ mm.
        shape: (columns, rows, slices).
        sub_slices: Odd number of samples through each slice.
        thickness: Share of the slice spacing that the samples cover.
    """

    affine: AffineMatrix
    shape: tuple[int, int, int]
    sub_slices: int = 1
    thickness: float = 1.0

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Return the shape with the slices cut into sub-slices."""
        return self.shape[0], self.shape[1], self.shape[2] * self.sub_slices

    def points(self) -> tuple[Coordinates, Coordinates, Coordinates]:
        """Return x, y, z in RAS+ mm of all samples, each of a shape that broadcasts to ``sample_shape``."""
        within = ((np.arange(self.sub_slices) + 0.5) / self.sub_slices - 0.5) * self.thickness
        slices = (np.arange(self.shape[2])[:, None] + within).ravel()
        steps = (
            np.arange(self.shape[0])[:, None, None],
            np.arange(self.shape[1])[None, :, None],
            slices[None, None, :],
        )
        x, y, z = (self._coordinate(axis, steps) for axis in range(3))
        return x, y, z

    def _coordinate(self, axis: int, steps: tuple[NDArray[np.number[Any]], ...]) -> Coordinates:
        total = np.full((1, 1, 1), self.affine[axis, 3])
        for column, step in enumerate(steps):
            if abs(self.affine[axis, column]) > 1e-9:
                total = total + self.affine[axis, column] * step
        return total.astype(np.float32)

    @cached_property
    def _inverse(self) -> AffineMatrix:
        return np.asarray(np.linalg.inv(self.affine))

    def window(self, box: Box) -> tuple[slice, slice, slice] | None:
        """Return the sample index ranges that cover a world box; None when it lies outside."""
        lower, upper = np.array(box[0]), np.array(box[1])
        inverse = self._inverse
        middle = inverse[:3, :3] @ ((lower + upper) / 2) + inverse[:3, 3]
        reach = np.abs(inverse[:3, :3]) @ ((upper - lower) / 2)
        low, high = middle - reach, middle + reach
        low[2], high[2] = (low[2] + 0.5) * self.sub_slices - 0.5, (high[2] + 0.5) * self.sub_slices - 0.5
        first = np.maximum(np.floor(low).astype(int), 0)
        stop = np.minimum(np.ceil(high).astype(int) + 1, self.sample_shape)
        if np.any(first >= stop):
            return None
        i, j, k = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
        return i, j, k


def grid_affine(
    directions: NDArray[np.float64], row: SeriesRow, shape: tuple[int, int, int], centre: NDArray[np.float64]
) -> AffineMatrix:
    """Return the affine of a grid whose middle lies at a point.

    Args:
        directions: (3, 3), columns are the unit directions of i, j and k in RAS+.
        row: Pixel size and slice spacing, mm.
        shape: (columns, rows, slices).
        centre: RAS+ mm.
    """
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array([row.pixel, row.pixel, row.spacing])
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine
