"""Where the slices of a sacroiliac study lie: parallel to the back of the sacrum, through the joints."""

import numpy as np

from imaging.phantom.grid import grid_affine
from imaging.phantom.sacroiliac.pelvis import Pelvis
from imaging.phantom.setup import SeriesRow
from imaging.types import AffineMatrix

_MIDDLE_P_MM = -8.0  # between the front of the joint and its ligaments
_MIDDLE_Q_MM = -4.0


def series_grid(row: SeriesRow, pelvis: Pelvis) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series.

    Coronal-oblique: columns run from the patient's right to the left, rows from head to foot along the sacrum,
    slices from back to front. Axial-oblique: slices across the sacrum from foot to head, rows front to back.
    """
    cos, sin = float(np.cos(pelvis.plan.tilt)), float(np.sin(pelvis.plan.tilt))
    front, up = np.array([0.0, cos, -sin]), np.array([0.0, sin, cos])
    left = np.array([-1.0, 0.0, 0.0])
    shape = (row.cols, row.rows, row.slices)
    if row.plane == "axial":
        middle = np.array(pelvis.frame.world(-8.0, 0.0))
        return grid_affine(np.array([left, -front, up]).T, row, shape, middle), shape
    middle = np.array(pelvis.frame.world(_MIDDLE_P_MM, _MIDDLE_Q_MM))
    return grid_affine(np.array([left, -up, front]).T, row, shape, middle), shape
