"""How much of the body a series shows, in millimetres: field of view without empty margins, slices, distances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.types import Series

_EMPTY = 0.05
"""A row or column without a pixel above this share of the 99th percentile is margin; own choice."""


@dataclass(frozen=True)
class Coverage:
    """What a series covers.

    Attributes:
        along_mm: Height of the field of view that is not empty (rows); None when the spacing is unknown.
        across_mm: Its width (columns); likewise.
        slices: Number of slices.
        slice_distance_mm: Between neighbouring slices; None for one slice or when unknown.
    """

    along_mm: float | None
    across_mm: float | None
    slices: int
    slice_distance_mm: float | None


def measure_coverage(series: Series) -> Coverage:
    """Measure a series on its middle slice."""
    spacing, count = series.volume.spacing, series.volume.shape[2]
    if spacing is None:
        return Coverage(None, None, count, None)
    rows, columns = content_size(series.volume.slice_image(count // 2))
    distance = spacing.slice_mm if count > 1 else None
    return Coverage(rows * spacing.row_mm, columns * spacing.col_mm, count, distance)


def content_size(image: NDArray[np.float32]) -> tuple[int, int]:
    """Return (rows, columns) of the smallest box that holds everything brighter than an empty margin.

    Args:
        image: (H, W) original pixels.
    """
    low, high = float(image.min()), float(np.percentile(image, 99))
    is_filled = image > low + _EMPTY * (high - low)
    rows, columns = np.flatnonzero(is_filled.any(axis=1)), np.flatnonzero(is_filled.any(axis=0))
    if len(rows) == 0:
        return 0, 0
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
