"""Which grades count: one place counts once, however many grades speak of it.

A place is a condition at a level, of a side where the condition is sided. Several grades of one place count once,
as the worst of them (``measure`` leaves checks out before). A coarser grade (of both sides, or of the whole study)
and the finer ones it covers count once too, as whichever is more: itself or their sum. Both choices are the
greater of sums, so a worse grade never lowers the total.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anatomy import CONDITIONS, Condition, Protocol, Side
from grading.types import Grade


class Place(NamedTuple):
    """Where a condition is graded.

    Attributes:
        condition: Which.
        level: Disc level or ``SIJ``; None for the whole study.
        side: Patient's side; None for both, or for a condition without sides.
    """

    condition: Condition
    level: str | None
    side: Side | None


def place_of(grade: Grade) -> Place:
    """Return the place a grade speaks of; the side of a finding without sides (a left herniation) is no place."""
    return Place(grade.condition, grade.level, grade.side if CONDITIONS[grade.condition].is_sided else None)


def asked_places(protocol: Protocol) -> tuple[Place, ...]:
    """Return every place that a protocol wants graded."""
    return tuple(
        Place(condition, level, side)
        for level in protocol.levels
        for condition in protocol.conditions
        for side in (tuple(Side) if CONDITIONS[condition].is_sided else (None,))
    )


def counted(places: Sequence[Place], points: Sequence[float]) -> list[int]:
    """Return the indices of the grades that count, rising.

    Args:
        places: Place of each grade.
        points: Points of each grade, 0 or more.
    """
    conditions = dict.fromkeys(place.condition for place in places)
    chosen = [_counted_of(condition, places, points) for condition in conditions]
    return sorted(index for indices in chosen for index in indices)


def _counted_of(condition: Condition, places: Sequence[Place], points: Sequence[float]) -> list[int]:
    own = [index for index, place in enumerate(places) if place.condition is condition]
    whole = [index for index in own if places[index].level is None]
    levels = dict.fromkeys(place.level for place in (places[index] for index in own) if place.level is not None)
    finer = [index for level in levels for index in _counted_at(level, own, places, points)]
    return _greater(finer, _greatest(whole, points), points)


def _counted_at(level: str, own: Sequence[int], places: Sequence[Place], points: Sequence[float]) -> list[int]:
    here = [index for index in own if places[index].level == level]
    by_side = [_greatest([index for index in here if places[index].side is side], points) for side in Side]
    both = _greatest([index for index in here if places[index].side is None], points)
    return _greater([index for indices in by_side for index in indices], both, points)


def _greatest(indices: Iterable[int], points: Sequence[float]) -> list[int]:
    """Return the first index with the most points, as a list; none of none."""
    found = list(indices)
    return [max(found, key=lambda index: points[index])] if found else []


def _greater(finer: list[int], coarser: list[int], points: Sequence[float]) -> list[int]:
    """Return the set with the greater sum; the finer one when they are equal."""
    finer_sum, coarser_sum = (math.fsum(points[index] for index in part) for part in (finer, coarser))
    return finer if finer and finer_sum >= coarser_sum else coarser or finer
