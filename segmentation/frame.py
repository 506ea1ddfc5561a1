"""The plane in which one slice is measured: square units, whatever the pixels are.

A pixel point is (x, y) = (column, row) of the original slice, at pixel centres. The plane point is
(x * column spacing, y * row spacing): millimetres when the spacing is known, else pixels taken as square.
Angles, lengths and distances are taken in the plane; what is reported in millimetres asks ``is_mm`` first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.types import Spacing

Points = NDArray[np.float64]
"""Points (x, y) in the last axis, shape (..., 2)."""


@dataclass(frozen=True)
class SliceFrame:
    """Units per pixel of one slice.

    Attributes:
        col: Plane units between neighbouring columns.
        row: Plane units between neighbouring rows.
        is_mm: True when the unit is a millimetre.
    """

    col: float
    row: float
    is_mm: bool

    @classmethod
    def of(cls, spacing: Spacing | None) -> "SliceFrame":
        """Return the frame of a series; unknown spacing means square pixels of unknown size."""
        if spacing is None:
            return cls(col=1.0, row=1.0, is_mm=False)
        return cls(col=spacing.col_mm, row=spacing.row_mm, is_mm=True)

    @property
    def pixel_area(self) -> float:
        """Return the area of one pixel in square plane units."""
        return self.col * self.row

    @property
    def pixel_side(self) -> float:
        """Return the side of a square of one pixel's area."""
        return float(np.sqrt(self.pixel_area))

    def to_plane(self, points_px: object) -> Points:
        """Convert pixel points (..., 2) to plane points."""
        plane: Points = np.asarray(points_px, dtype=np.float64) * np.array([self.col, self.row])
        return plane

    def to_px(self, points: object) -> Points:
        """Convert plane points (..., 2) to pixel points."""
        px: Points = np.asarray(points, dtype=np.float64) / np.array([self.col, self.row])
        return px


def caudal_normal(axis: Points) -> Points:
    """Return the unit vector at right angles to a disc axis (front to back) that points to the feet.

    In the image x grows to the back and y to the feet, so turning (1, 0) by +90 degrees gives (0, 1).
    """
    normal = np.array([-axis[1], axis[0]])
    return normal if normal[1] >= 0 else -normal
