"""Where the slices of a cervical study lie."""

import numpy as np

from imaging.phantom.cervical.place import Neck
from imaging.phantom.grid import grid_affine
from imaging.phantom.setup import SeriesRow
from imaging.types import AffineMatrix


def series_grid(row: SeriesRow, neck: Neck) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""
    return _sagittal_grid(row, neck) if row.plane == "sagittal" else _axial_grid(row, neck)


def _sagittal_grid(row: SeriesRow, neck: Neck) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Columns run front to back, rows head to foot, slices from the patient's left to the right."""
    shape = (row.cols, row.rows, row.slices)
    directions = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]).T
    canal = float(neck.curve.at_height(np.array([neck.body("C5").frame.z]))[0])
    # From the pons to T4: a little above the middle between the ends.
    low, high = neck.body("T4").frame.z, neck.body("C2").frame.z + 45.0
    centre = np.array([neck.body("C5").frame.x, canal + 22.0, (low + high) / 2])
    return grid_affine(directions, row, shape, centre), shape


def _axial_grid(row: SeriesRow, neck: Neck) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """One stack parallel to C5-C6 from C2-C3 to C7-T1: columns right to left, rows front to back."""
    tilt = neck.disc("C5-C6").frame.tilt
    up = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    first, last = neck.disc("C2-C3").frame, neck.disc("C7-T1").frame
    high = float(np.array([0.0, first.y, first.z]) @ up) + 8.0
    low = float(np.array([0.0, last.y, last.z]) @ up) - 8.0
    slices = row.slices or int(np.ceil((high - low) / row.spacing)) + 1
    shape = (row.cols, row.rows, slices)
    directions = np.array([[-1.0, 0.0, 0.0], [0.0, -np.cos(tilt), np.sin(tilt)], up]).T
    middle = neck.disc("C5-C6").frame
    centre = np.array([middle.x, middle.y, middle.z])
    centre += up * ((low + high) / 2 - centre @ up) - directions[:, 1] * 0.0
    return grid_affine(directions, row, shape, centre), shape
