"""Which slices show the middle of the spine at a level.

The canal's middle is followed down the stack: its centroid across the slices, row by row, smoothed by a cubic
curve, so that a herniation on one side does not move it. A level lies between two slices there, and is measured on
both: the value is theirs, weighted by nearness. So a spine that bends to the side is cut near its own middle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points
from segmentation.measure.labels import CANAL, CORD
from segmentation.measure.stack import Stack

_DEGREE = 3
_ROWS_NEEDED = 30
"""With fewer rows of canal than this a straight line is fitted; own choice."""
_SURE = 0.12
"""A level this near to a slice's middle, in slices, is measured on that slice alone; own choice."""


@dataclass(frozen=True)
class Middle:
    """Where a level's mid-sagittal plane cuts a stack.

    Attributes:
        place: Slice coordinate k, not whole.
        slices: Number of slices of the stack.
    """

    place: float
    slices: int

    @property
    def nearest(self) -> int:
        """Return the slice nearest to the middle."""
        return int(np.clip(round(self.place), 0, self.slices - 1))

    @property
    def alone(self) -> tuple[tuple[int, float], ...]:
        """Return the nearest slice with all the weight: for widths that are greatest in the middle.

        The canal and the cord are round: a mean of two slices beside the middle shows them narrower than the
        nearer one does.
        """
        return ((self.nearest, 1.0),)

    @property
    def around(self) -> tuple[tuple[int, float], ...]:
        """Return (slice, weight) of the one or two slices around the middle, nearest first."""
        low = int(np.clip(np.floor(self.place), 0, self.slices - 1))
        share = self.place - low
        if share <= _SURE or low + 1 >= self.slices:
            return ((low, 1.0),)
        if share >= 1 - _SURE:
            return ((low + 1, 1.0),)
        return tuple(sorted(((low, 1 - share), (low + 1, share)), key=lambda item: -item[1]))


class Midline:
    """The middle of the canal through a sagittal stack."""

    def __init__(self, stack: Stack, fallback: int) -> None:
        self._slices = stack.slices
        self._fallback = fallback
        self._curve = _fit(stack)

    def at(self, row: float) -> Middle:
        """Return the middle at a row (pixels of the stack)."""
        if self._curve is None:
            return Middle(float(self._fallback), self._slices)
        coefficients, first, last = self._curve
        place = float(np.polyval(coefficients, np.clip(row, first, last)))
        return Middle(float(np.clip(place, 0, self._slices - 1)), self._slices)

    def at_point(self, point: Points, stack: Stack) -> Middle:
        """Return the middle at a plane point."""
        return self.at(float(stack.frame.to_px(point)[1]))


def _fit(stack: Stack) -> tuple[NDArray[np.float64], float, float] | None:
    """Return polynomial coefficients k(row) and the rows they hold between; None for one slice or no canal."""
    if stack.slices < 2:
        return None
    canal = np.isin(stack.labels, (CANAL, CORD)).sum(axis=0).astype(np.float64)  # (J, K)
    total = canal.sum(axis=1)
    rows = np.flatnonzero(total > 0.2 * np.median(total[total > 0])) if total.any() else np.array([])
    if len(rows) < 4:
        return None
    centre = (canal[rows] @ np.arange(stack.slices)) / total[rows]
    degree = _DEGREE if len(rows) >= _ROWS_NEEDED else 1
    weights = np.sqrt(total[rows])
    coefficients = np.polyfit(rows, centre, degree, w=weights)
    away = np.abs(np.polyval(coefficients, rows) - centre)
    kept = away <= max(2.5 * float(np.median(away)), 0.05)
    if kept.sum() >= 4 + degree:
        coefficients = np.polyfit(rows[kept], centre[kept], degree, w=weights[kept])
    return coefficients, float(rows[0]), float(rows[-1])
