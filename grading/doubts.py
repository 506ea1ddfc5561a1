"""Two ways of grading one condition, and what a report must say of grades that rest on little. No torch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from anatomy import CONDITIONS, SCALES, Condition
from grading.types import Grade


def both_ways(learned: Sequence[Grade], measured: Sequence[Grade]) -> list[Grade]:
    """Put a learned grade and the one that a measurement decides side by side.

    The learned one is the one reported and rests on the same measurement; the measured one becomes its check, on
    the condition's scale for that. Where nothing was learned the measured one is the grade.
    """
    if not learned or not measured:
        return [*learned, *measured]
    (measure,) = measured
    check = CONDITIONS[measure.condition].checks
    if not check:
        return list(learned)
    ids = measure.measurement_ids
    return [*(replace(grade, measurement_ids=ids) for grade in learned), replace(measure, scale=check[0])]


def disagreements(grades: Sequence[Grade]) -> list[str]:
    """Return a sentence for each condition whose grades and checks differ, on steps that can be compared."""
    places: dict[Condition, dict[str, list[str]]] = {}
    for check in grades:
        if not check.is_check or check.grade is None:
            continue
        for grade in grades:
            same = (grade.level, grade.side, grade.condition) == (check.level, check.side, check.condition)
            if same and not grade.is_check and _differ(grade, check):
                said = places.setdefault(check.condition, {}).setdefault(_both_words(grade, check), [])
                said.append(" ".join(part for part in (check.level, check.side) if part))
    return [_disagreement(condition, said) for condition, said in places.items()]


def _differ(grade: Grade, check: Grade) -> bool:
    """Return whether a check names another of the same steps, or only one of both says present."""
    if grade.grade is None:
        return False
    steps, first = SCALES[grade.scale].grades, SCALES[grade.scale].present_from
    if steps == SCALES[check.scale].grades:
        return grade.grade != check.grade
    if check.scale != "presence" or first is None:
        return False
    return (steps.index(grade.grade) >= steps.index(first)) != (check.grade == "present")


def _both_words(grade: Grade, check: Grade) -> str:
    named, other = (SCALES[item.scale].step(str(item.grade)).words for item in (grade, check))
    if check.reason is None:  # both were learned
        return f"{named} by one, {other} by the other"
    return f"{named} by its looks, {other} by measurement"


def _disagreement(condition: Condition, said: Mapping[str, Sequence[str]]) -> str:
    """Return one sentence: pairs of steps with their places; rules and values stand in the table of grades."""
    parts = [f"{words} at {_listed(places)}" if all(places) else words for words, places in said.items()]
    return f"The two ways of grading {CONDITIONS[condition].words} disagree: {'; '.join(parts)}."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def phantom_notices(grades: Sequence[Grade], synthetic: Collection[Condition]) -> list[str]:
    """Return the sentence that says which grades no real image taught.

    Args:
        grades: Of a study.
        synthetic: Conditions that no real image taught.
    """
    given = dict.fromkeys(grade.condition for grade in grades if grade.grade is not None and not grade.is_check)
    words = [CONDITIONS[condition].words for condition in given if condition in synthetic]
    if not words:
        return []
    return [f"Grading of {_listed(words)} was learned from synthetic images only and needs a radiologist's eye."]
