"""Intensities as int16, and the window they are first shown with.

A stored number s stands for the value s * slope + intercept of the file. Whole numbers that fit are kept as they
are (slope 1); others are spread over the whole range, so that the error stays below half a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.types import FloatVolume, Series

StoredVolume = NDArray[np.int16]
"""(I, J, K) = (columns, rows, slices)."""

_LOWEST, _HIGHEST = -(2**15), 2**15 - 1
_SAMPLES = 200_000
_LOW_PERCENT, _HIGH_PERCENT = 1.0, 99.5
"""Own choice: leaves out the air around the body and the bright fat beside a surface coil."""


@dataclass(frozen=True, eq=False)
class StoredValues:
    """A volume as int16.

    Attributes:
        array: (I, J, K) int16.
        slope: Value of one step.
        intercept: Value of the stored number 0.
    """

    array: StoredVolume
    slope: float
    intercept: float


def store_values(array: FloatVolume) -> StoredValues:
    """Return a volume as int16, without loss where its values are whole numbers that span at most 65,535."""
    low, high = float(array.min()), float(array.max())
    if high - low <= _HIGHEST - _LOWEST and bool(np.all(array == np.rint(array))):
        intercept = 0.0 if low >= _LOWEST and high <= _HIGHEST else low - _LOWEST
        return StoredValues((array - intercept).astype(np.int16), 1.0, intercept)
    slope = (high - low) / (_HIGHEST - _LOWEST) or 1.0
    intercept = low - _LOWEST * slope
    steps = np.rint((array.astype(np.float64) - intercept) / slope)
    return StoredValues(np.clip(steps, _LOWEST, _HIGHEST).astype(np.int16), slope, intercept)


def first_window(series: Series) -> tuple[float, float]:
    """Return the (centre, width) a series is first shown with, in values of the file.

    The header's, where there is one that shows any of the values; else what leaves out the darkest 1 % and the
    brightest 0.5 %.
    """
    array = series.volume.array
    centre, width = (series.header.get(f"window_{name}") for name in ("centre", "width"))
    if isinstance(centre, int | float) and isinstance(width, int | float) and width > 0:
        low, high = centre - width / 2, centre + width / 2
        if low < float(array.max()) and high > float(array.min()):
            return float(centre), float(width)
    flat = array.reshape(-1)
    low, high = np.percentile(flat[:: max(1, flat.size // _SAMPLES)], [_LOW_PERCENT, _HIGH_PERCENT])
    return float(low + high) / 2, max(float(high - low), 1e-6)
