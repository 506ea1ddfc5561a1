"""Two readings to a change table: each grade and each value of this reading beside the earlier one at its place.

A grade is what its prediction set says (``reporting.statements``), so grades changed only when their sets have no
step in common; sets that overlap leave open whether anything changed. A value changed only when it differs by more
than the measurement error stated in ``templates/comparison.yaml``.
"""

import math
from collections.abc import Callable, Hashable, Iterable
from functools import cache

from anatomy import SCALES
from grading.types import Findings, Grade, GradeStatus
from reporting.levels_text import levels_text
from reporting.phrases import read_template
from reporting.places import level_place
from reporting.prior.types import Change, Comparison, GradeChange, ValueChange
from reporting.statements import abnormal_steps, steps_of
from segmentation.types import Measurement

TEMPLATE = "comparison.yaml"
_SLIP = "listhesis"


def compare_with_prior(now: Findings, prior: Findings, *, notices: Iterable[str] = ()) -> Comparison:
    """Return the change table of a study against an earlier reading.

    Args:
        now: Findings of the study at hand.
        prior: Findings of the earlier reading, of the same protocol (``prior_findings``).
        notices: What else a reader must know of the comparison.

    Returns:
        A row for each grade that either reading states, and for each measurement of this reading; places in the
        order cranial to caudal. The same input gives the same table.
    """
    before = {_grade_place(grade): grade for grade in prior.reported}
    here = {_grade_place(grade): grade for grade in now.reported}
    places = sorted({*here, *before}, key=_ordered(now, prior))
    values = {_value_place(item): item for item in prior.measurements}
    return Comparison(
        rules=read_template(TEMPLATE)["version"],
        prior=prior,
        grades=tuple(_grade_change(before.get(place), here.get(place)) for place in places),
        values=tuple(
            _value_change(values.get(_value_place(item)), item, now.protocol) for item in now.measurements
        ),
        notices=tuple(dict.fromkeys((*notices, *_doubts(prior, "doubt_before"), *_doubts(now, "doubt_now")))),
    )


def reason(name: str) -> str:
    """Return the words of one reason why two findings cannot be compared."""
    words: str = read_template(TEMPLATE)["reasons"][name]
    return words


@cache
def value_limit(protocol: str, name: str, unit: str) -> float | None:
    """Return the smallest difference that is beyond the measurement error; None where no error is stated."""
    row = read_template(TEMPLATE)["limits"].get(protocol, {}).get(name)
    if row is None or row["unit"] != unit:
        return None
    limit: float = round((row["upper"] - row["lower"]) / 2 * math.sqrt(2), 1)
    return limit


def _grade_change(before: Grade | None, now: Grade | None) -> GradeChange:
    missing = _missing(before, now)
    if missing is not None or before is None or now is None:
        return GradeChange(before, now, Change.NOT_COMPARABLE, reason(missing or "absent_before"))
    change, why = _steps_change(before, now)
    return GradeChange(before, now, change, None if why is None else reason(why))


def _missing(before: Grade | None, now: Grade | None) -> str | None:
    """Return why there are no two grades to compare; None when there are."""
    if before is None:
        return "absent_before"
    if now is None:
        return "absent_now"
    is_unknown = [grade.status is GradeStatus.NOT_ASSESSABLE for grade in (before, now)]
    if all(is_unknown):
        return "unknown_both"
    if any(is_unknown):
        return "unknown_before" if is_unknown[0] else "unknown_now"
    return None


def _steps_change(before: Grade, now: Grade) -> tuple[Change, str | None]:
    """Compare two grades of one scale by their open steps."""
    then, here = steps_of(before), steps_of(now)
    if then == here and before.grade == now.grade:
        return Change.UNCHANGED, None
    if set(then) & set(here):
        return Change.NOT_COMPARABLE, "overlap"
    abnormal = abnormal_steps(now.scale)
    if not set(then) & abnormal and set(here) <= abnormal:
        return Change.NEW, None
    if set(then) <= abnormal and not set(here) & abnormal:
        return Change.RESOLVED, None
    if not SCALES[now.scale].is_ordinal:
        return Change.NOT_COMPARABLE, "no_order"
    order = SCALES[now.scale].grades.index
    if order(then[-1]) < order(here[0]):
        return Change.WORSE, None
    if order(here[-1]) < order(then[0]):
        return Change.BETTER, None
    return Change.NOT_COMPARABLE, "interleave"


def _value_change(before: Measurement | None, now: Measurement, protocol: str) -> ValueChange:
    limit = value_limit(protocol, now.name, now.unit)
    if before is None:
        return ValueChange(None, now, None, limit, Change.NOT_COMPARABLE, reason("absent_before"))
    if before.value is None or now.value is None:
        missing = [item.value is None for item in (before, now)]
        why = "unknown_both" if all(missing) else "unknown_before" if missing[0] else "unknown_now"
        return ValueChange(before, now, None, limit, Change.NOT_COMPARABLE, reason(why))
    difference = round(now.value - before.value, 6)
    if limit is None:
        return ValueChange(before, now, difference, None, Change.NOT_COMPARABLE, reason("no_limit"))
    if abs(difference) <= limit:
        return ValueChange(before, now, difference, limit, Change.WITHIN_ERROR)
    if now.name == _SLIP and before.value * now.value < 0:
        return ValueChange(before, now, difference, limit, Change.NOT_COMPARABLE, reason("other_side"))
    grows = abs(now.value) > abs(before.value)
    return ValueChange(before, now, difference, limit, Change.INCREASED if grows else Change.DECREASED)


def _doubts(findings: Findings, name: str) -> list[str]:
    levels = [level.name for level in findings.levels if level.doubt is not None]
    frame: str = read_template(TEMPLATE)["notices"][name]
    return [frame.format(levels=levels_text(levels))] if levels else []


def _grade_place(grade: Grade) -> tuple[Hashable, ...]:
    return grade.level, grade.side, grade.condition, grade.scale


def _value_place(item: Measurement) -> tuple[Hashable, ...]:
    return item.level, item.side, item.name, item.unit


def _ordered(now: Findings, prior: Findings) -> Callable[[tuple[Hashable, ...]], tuple[int, int]]:
    """Return the sort key of places: level from cranial to caudal, then the order of the readings."""
    rank: dict[tuple[Hashable, ...], int] = {}
    for grade in (*now.reported, *prior.reported):
        rank.setdefault(_grade_place(grade), len(rank))
    return lambda place: (level_place(None if place[0] is None else str(place[0])), rank[place])
