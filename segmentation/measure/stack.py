"""A series with its label map, brought into storage order: what every measurement is taken on.

Measurements work in the plane of a slice, in millimetres, with columns running front to back and rows head to foot
(sagittal), right to left and front to back (axial), or right to left and head to foot (coronal). A series whose
affine says otherwise is flipped or turned here, and lines are given back in its own pixels. Without an affine the
order is taken as stored (``imaging.geometry``), and left and right are unknown.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imaging.geometry import apply_axes, axes_matrix, reorient, spacing_of
from imaging.types import AffineMatrix, FloatVolume, Plane, Sequence, Series, Spacing
from segmentation.frame import Points, SliceFrame
from segmentation.types import LabelArray

Line = tuple[tuple[float, float], tuple[float, float]]
"""Two end points (x, y) in pixels."""

LabelSlice = NDArray[np.uint8]
"""Label numbers of one slice, (rows, columns)."""


@dataclass(frozen=True, eq=False)
class Stack:
    """One series in storage order.

    Attributes:
        series_id: Series.
        plane: Orientation of its slices.
        sequence: Weighting.
        labels: (I, J, K) label numbers.
        image: (I, J, K) intensities of the same grid.
        spacing: None when unknown.
        affine: (4, 4) voxel (i, j, k) of ``labels`` -> RAS+ mm; None when unknown.
        to_source: (4, 4) voxel of ``labels`` -> voxel of the series.
    """

    series_id: str
    plane: Plane
    sequence: Sequence
    labels: LabelArray
    image: FloatVolume
    spacing: Spacing | None
    affine: AffineMatrix | None
    to_source: AffineMatrix
    _masks: dict[tuple[int, tuple[int, ...]], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, series: Series, labels: LabelArray) -> "Stack":
        """Bring a series and its label map into storage order.

        Raises:
            ValueError: If the label map does not lie on the grid of the series.
        """
        volume = series.volume
        if labels.shape != volume.array.shape:
            raise ValueError(
                f"label map of series {series.id}: expected shape {volume.array.shape}, got {labels.shape}"
            )
        image, affine, spacing, to_source = volume.array, volume.affine, volume.spacing, np.eye(4)
        if affine is not None and series.plane is not Plane.UNKNOWN:
            turned = reorient(image, affine, 2, plane=series.plane)
            shape = (image.shape[0], image.shape[1], image.shape[2])
            image, affine, labels = turned.array, turned.affine, apply_axes(labels, turned.source_axes)
            to_source = axes_matrix(shape, turned.source_axes)
            spacing = spacing and spacing_of(affine, shape[2])
        return cls(series.id, series.plane, series.sequence, labels, image, spacing, affine, to_source)

    @property
    def slices(self) -> int:
        """Return the number of slices."""
        return int(self.labels.shape[2])

    @cached_property
    def frame(self) -> SliceFrame:
        """Return the plane of its slices."""
        return SliceFrame.of(self.spacing)

    def slice_labels(self, k: int) -> LabelSlice:
        """Return slice k of the label map, (rows, columns)."""
        rows: LabelSlice = self._rows_first[k]
        return rows

    @cached_property
    def _rows_first(self) -> LabelArray:
        return np.ascontiguousarray(self.labels.transpose(2, 1, 0))

    def mask(self, k: int, *labels: int) -> NDArray[np.float32]:
        """Return where slice k has one of some labels, (rows, columns), 0 or 1."""
        if (k, labels) not in self._masks:
            chosen = np.zeros(256, dtype=np.float32)
            chosen[list(labels)] = 1.0
            self._masks[k, labels] = chosen[self.slice_labels(k)]
        return self._masks[k, labels]

    def world(self, points: Points, k: int) -> Points | None:
        """Return plane points (..., 2) of slice k in RAS+ mm (..., 3); None without an affine."""
        if self.affine is None:
            return None
        px = self.frame.to_px(points)
        voxels = np.concatenate([px, np.full((*px.shape[:-1], 1), float(k)), np.ones((*px.shape[:-1], 1))], -1)
        return np.asarray((voxels @ self.affine.T)[..., :3], dtype=np.float64)

    def from_source_px(self, point: tuple[float, float], k: int) -> Points:
        """Return a pixel (x, y) of the series as a plane point."""
        voxel = np.linalg.inv(self.to_source) @ np.array([*point, k, 1.0])
        return self.frame.to_plane(voxel[:2])

    def source_line(self, line: Line, k: int) -> Line:
        """Return a line in pixels of this stack as a line in pixels of the series."""
        (x0, y0), (x1, y1) = (self._source_px(end, k) for end in line)
        return (x0, y0), (x1, y1)

    def _source_px(self, point: tuple[float, float], k: int) -> tuple[float, float]:
        voxel = self.to_source @ np.array([*point, k, 1.0])
        return float(voxel[0]), float(voxel[1])
