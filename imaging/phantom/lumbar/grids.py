"""Where the slices of a lumbar study lie."""

import numpy as np

from imaging.phantom.grid import grid_affine
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.setup import SeriesRow
from imaging.types import AffineMatrix


def series_grid(row: SeriesRow, spine: Spine) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""
    return _sagittal_grid(row, spine) if row.plane == "sagittal" else _axial_grid(row, spine)


def _sagittal_grid(row: SeriesRow, spine: Spine) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Columns run front to back, rows head to foot, slices from the patient's left to the right."""
    shape = (row.cols, row.rows, row.slices)
    directions = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]).T
    lumbar = spine.curve.z > 0.0
    x, y = float(spine.curve.x[lumbar].mean()), float(spine.curve.y[lumbar].mean())
    centre = np.array([x, y + 32.0, 0.5 * row.rows * row.pixel - 45.0])
    return grid_affine(directions, row, shape, centre), shape


def _axial_grid(row: SeriesRow, spine: Spine) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """One stack parallel to L4-L5 from above L1-L2 to below L5-S1: columns right to left, rows front to back."""
    tilt = spine.disc("L4-L5").frame.tilt
    up = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    ends = [np.array([0.0, frame.y, frame.z]) for frame in (spine.disc("L1-L2").frame, spine.disc("L5-S1").frame)]
    low, high = float(ends[1] @ up) - 10.0, float(ends[0] @ up) + 8.0
    slices = row.slices or int(np.ceil((high - low) / row.spacing)) + 1
    shape = (row.cols, row.rows, slices)
    directions = np.array([[-1.0, 0.0, 0.0], [0.0, -np.cos(tilt), np.sin(tilt)], up]).T
    middle = spine.disc("L3-L4").frame
    centre = np.array([middle.x, middle.y, middle.z])
    centre += up * ((low + high) / 2 - float(centre[1:] @ up[1:])) + directions[:, 1] * 22.0
    return grid_affine(directions, row, shape, centre), shape
