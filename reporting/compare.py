"""One fact of a text against one grade of Findings, by the steps that both leave open.

A grade is what its prediction set says (``statements``), so a text agrees only when it says the same set: neither
more certain (``no bulge`` where a bulge is not excluded) nor less. The word ``mild`` does not agree with the RSNA
class "normal or mild", which does not say that there is anything.
"""

from collections.abc import Sequence
from enum import StrEnum

from anatomy import SCALES
from grading.types import Findings, Grade, GradeStatus
from reporting.statements import abnormal_steps, named_steps, steps_of
from reporting.types import Fact
from segmentation.types import Measurement


class Agreement(StrEnum):
    """How a fact stands to a grade."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    DIFFERS = "differs"


def compare_fact(fact: Fact, grade: Grade) -> Agreement:
    """Compare a fact with a grade of the same level, side and condition.

    Returns:
        ``agrees``; ``contradicts`` when the set rules out what is said; ``differs`` when the fact says more, less
        or something else than Findings hold, or the grade is not assessable.
    """
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        return Agreement.DIFFERS
    open_steps = frozenset(steps_of(grade))
    abnormal = abnormal_steps(grade.scale)
    if fact.negated:
        return _compare_denial(fact, grade, open_steps, abnormal)
    normal = frozenset(SCALES[grade.scale].grades) - abnormal
    if fact.grade is None:
        return _compare_presence(fact.uncertain, open_steps, named_steps(grade.scale))
    stated = _stated_steps(fact.grade, grade.scale)
    if fact.uncertain and normal.issuperset(stated):
        return Agreement.DIFFERS
    said = frozenset(stated) | (normal if fact.uncertain else frozenset())
    if None not in stated and said == open_steps:
        return Agreement.AGREES
    return (
        Agreement.CONTRADICTS
        if not (_roughly(stated, fact.grade, said, grade.scale) & open_steps)
        else Agreement.DIFFERS
    )


def grades_for(fact: Fact, findings: Findings) -> list[Grade]:
    """Return the grades that a fact speaks of; several when it leaves level or side open while denying."""
    alike = [grade for grade in findings.reported if grade.condition is fact.condition]
    exact = [grade for grade in alike if grade.level == fact.level and grade.side is fact.side]
    if exact or (not fact.negated and fact.side is not None):
        return exact
    at_level = [grade for grade in alike if fact.level is None or grade.level == fact.level]
    if fact.level is None and not fact.negated:
        return []
    return [grade for grade in at_level if fact.side is None or grade.side is fact.side]


def value_for(name: str, level: str | None, findings: Findings) -> Measurement | None:
    """Return the measurement with a value that a text speaks of, or None."""
    found = (item for item in findings.measurements if item.name == name and item.level == level)
    return next((item for item in found if item.value is not None), None)


def values_agree(stated: float, decimals: int, measured: float) -> bool:
    """Tell whether a written number is the measured one, rounded to the digits that were written."""
    return abs(abs(stated) - abs(measured)) <= 0.5 * 10.0**-decimals + 1e-9


def _compare_denial(fact: Fact, grade: Grade, open_steps: frozenset[str], abnormal: frozenset[str]) -> Agreement:
    if fact.grade is None and not open_steps & named_steps(grade.scale):
        return Agreement.DIFFERS if open_steps & abnormal else Agreement.AGREES
    if fact.grade is None:
        return Agreement.CONTRADICTS
    denied = _stated_steps(fact.grade, grade.scale)
    if None in denied or not SCALES[grade.scale].is_ordinal:
        return Agreement.DIFFERS
    names = SCALES[grade.scale].grades
    lowest = min(names.index(step) for step in denied if step is not None)
    if set(names[lowest:]) != set(denied):
        return Agreement.DIFFERS if not open_steps & set(denied) else Agreement.CONTRADICTS
    return Agreement.CONTRADICTS if open_steps & set(denied) else Agreement.AGREES


def _compare_presence(is_uncertain: bool, open_steps: frozenset[str], named: frozenset[str]) -> Agreement:
    if not open_steps & named:
        return Agreement.CONTRADICTS
    is_open = bool(open_steps - named)
    return Agreement.AGREES if is_open == is_uncertain else Agreement.DIFFERS


def _stated_steps(text: str, scale: str) -> Sequence[str | None]:
    """Return the steps that a grade text names on a scale; None stands for one that the scale does not have."""
    names = SCALES[scale].grades
    return [part if part in names else None for part in text.split("|")]


def _roughly(stated: Sequence[str | None], text: str, said: frozenset[str | None], scale: str) -> frozenset[str]:
    """Return the steps that a text may mean: ``mild`` is in "normal or mild"; others rule nothing out."""
    steps = {step for step in said if step is not None}
    rough = {"normal_mild" for part in text.split("|") if part in {"mild", "normal"} and part not in stated}
    rough &= set(SCALES[scale].grades)
    if None in stated and not rough:
        return _ANY
    return frozenset(steps | rough)


_ANY = frozenset(step for scale in SCALES.values() for step in scale.grades)
