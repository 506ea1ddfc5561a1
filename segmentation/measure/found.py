"""What a measuring step finds: a value with its line and slice, or the reason why there is none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from segmentation.measure.stack import Line


@dataclass(frozen=True)
class Found:
    """The outcome of measuring one quantity once.

    Attributes:
        value: In plane units or the quantity's unit; None when it was not assessable.
        reason: Why there is none.
        line_px: Line in pixels of the stack, or None.
        slice_index: Slice k.
        note: What the reader must know of this value beyond the usual method, such as ``L2 to S1``.
    """

    value: float | None
    reason: str | None = None
    line_px: Line | None = None
    slice_index: int | None = None
    note: str | None = None


def missing(reason: str, slice_index: int | None = None) -> Found:
    """Return the outcome of a quantity that cannot be assessed."""
    return Found(None, reason, None, slice_index)


def between_slices(around: Iterable[tuple[int, float]], measure: Callable[[int], Found]) -> Found:
    """Measure on the slices around a place and weigh the values by nearness.

    Args:
        around: (slice, weight), nearest first.
        measure: Measures one slice.

    Returns:
        The weighted value with line and slice of the nearest slice that has one; without any value the reason of
        the nearest slice.
    """
    found = [(replace(measure(k), slice_index=k), weight) for k, weight in around]
    valued = [(item, weight) for item, weight in found if item.value is not None]
    if not valued:
        return found[0][0]
    total = sum(weight for _, weight in valued)
    value = sum((item.value or 0.0) * weight for item, weight in valued) / total
    return replace(valued[0][0], value=value)
