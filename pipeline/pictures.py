"""Which slices a writer is shown: of each sagittal series, and the primary one, that with most levels on it."""

from __future__ import annotations

from collections import Counter

from imaging.types import Plane, Series, Study
from segmentation.types import SegmentedStudy
from vlm.pictures import KeySlice, key_slice


def key_slices(study: Study, segmented: SegmentedStudy) -> tuple[KeySlice, ...]:
    """Return the key slices of a study, the primary series first.

    Args:
        study: The study.
        segmented: Tells on which slice the levels of each series lie; a series without levels gives no picture.
    """
    primary = segmented.primary_series_id
    chosen = [item for item in study.series if item.id == primary or item.plane is Plane.SAGITTAL]
    chosen.sort(key=lambda item: item.id != primary)
    return tuple(key_slice(item, k) for item in chosen if (k := _key_index(item, segmented)) is not None)


def _key_index(series: Series, segmented: SegmentedStudy) -> int | None:
    """Return the slice on which most levels of a series lie (the lowest of equals); None without levels."""
    counts = Counter(level.slice_index for level in segmented.series_levels.get(series.id, ()))
    if not counts:
        return None
    most = max(counts.values())
    return min(k for k, count in counts.items() if count == most)
