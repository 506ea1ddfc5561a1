"""What an impression says first: critical findings, then levels by severity, condition and place.

The order does not depend on the order of the grades that are given: severity (weight of the step), then the
priority of the condition, then cranial to caudal, then left before right (``templates/impression.yaml``). A
finding that is named among the critical ones is not named again at its level.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from anatomy import Condition, Side
from grading.triage import is_urgent
from grading.types import Findings, Grade
from reporting.grammar import join_items, positive_items
from reporting.levels_text import levels_text
from reporting.phrases import read_template
from reporting.places import level_place
from reporting.statements import Polarity, Statement, is_abnormal, severity_weight, state
from segmentation.types import Measurement

_DEGENERATION_WEIGHT = 0.35
"""Weight of Pfirrmann III in scales.yaml: the first step that is a positive finding."""


@dataclass(frozen=True)
class CriticalItem:
    """Something to be looked at first, in words.

    Attributes:
        text: Phrase with its levels.
        finding_ids: Grades and measurements it rests on.
    """

    text: str
    finding_ids: tuple[str, ...]


def headline(findings: Findings, level: str | None) -> list[Statement]:
    """Return the statements of a level that belong in its line of the impression, the gravest first.

    Those whose best step is a positive finding; without the critical ones, which have a line of their own.
    """
    named = {key for item in critical_items(findings) for key in item.finding_ids}
    stated = [state(grade, findings) for grade in findings.grades_at(level) if grade.id not in named]
    return sorted((item for item in stated if _is_positive(item)), key=_rank)


def ranked_levels(findings: Findings) -> list[str | None]:
    """Return the levels with a positive finding: by their gravest one, then cranial to caudal."""
    first = {level: found[0] for level in report_levels(findings) if (found := headline(findings, level))}
    return sorted(first, key=lambda level: (*_rank(first[level])[:2], level_place(level)))


def report_levels(findings: Findings) -> list[str | None]:
    """Return the levels that have grades, cranial to caudal whatever the order of the grades."""
    return sorted({grade.level for grade in findings.reported}, key=level_place)


def critical_items(findings: Findings) -> list[CriticalItem]:
    """Return what is critical: compression of the cord, then suspected crowding of the cauda equina."""
    urgent = [grade for grade in _in_order(findings.reported) if is_urgent(grade)]
    items = [CriticalItem(text, ids) for text, ids in _with_levels(urgent, findings)]
    crowded = _cauda_equina(findings)
    return [*items, crowded] if crowded is not None else items


def _cauda_equina(findings: Findings) -> CriticalItem | None:
    """Return suspected crowding of the cauda equina, by the rule of ``templates/impression.yaml``."""
    rule = _table()["cauda_equina"]
    if findings.protocol != rule["protocol"]:
        return None
    meant = [
        grade
        for grade in _in_order(findings.reported)
        if (grade.condition.value, grade.scale) == (rule["condition"], rule["scale"])
        and grade.level in rule["levels"]
    ]
    severe = [grade for grade in meant if grade.grade == rule["step"]]
    graded = {grade.level for grade in meant if grade.grade is not None}
    said = {grade.level for grade in severe} | (set(rule["levels"]) - graded)
    areas = [item for item in _small_areas(findings, rule["measurement"]) if item.level in said]
    signs = _with_levels(severe, findings)
    signs += [(rule["value"].format(value=f"{item.value:.0f}", level=item.level), (item.id,)) for item in areas]
    if not signs:
        return None
    text = rule["text"].format(signs=join_items([sign for sign, _ in signs]))
    return CriticalItem(text, tuple(key for _, ids in signs for key in ids))


def _small_areas(findings: Findings, limit: dict[str, Any]) -> list[Measurement]:
    found = [
        item
        for item in findings.measurements
        if (item.name, item.unit) == (limit["name"], limit["unit"])
        and item.value is not None
        and item.value < limit["below"]
    ]
    return sorted(found, key=lambda item: level_place(item.level))


def _with_levels(grades: Sequence[Grade], findings: Findings) -> list[tuple[str, tuple[str, ...]]]:
    """Return phrases with their levels and ids; levels of which the same is said share a phrase."""
    together: dict[str, list[Grade]] = {}
    for grade in grades:
        (phrase,) = positive_items([replace(state(grade, findings), measurements=())])
        together.setdefault(phrase, []).append(grade)
    texts = []
    for phrase, alike in together.items():
        levels = [grade.level for grade in alike if grade.level is not None]
        frame = _table()["at_levels"] if levels else "{item}"
        text = frame.format(item=phrase, levels=levels_text(levels)) if levels else phrase
        texts.append((text, tuple(grade.id for grade in alike)))
    return texts


def _is_positive(statement: Statement) -> bool:
    """Leave out grades whose best step is still normal, such as Pfirrmann II or III with II the likelier."""
    grade = statement.grade
    if not is_abnormal(statement) or severity_weight(grade) <= 0:
        return False
    if statement.condition is not Condition.DISC_DEGENERATION:
        return True
    is_named = statement.polarity is Polarity.PRESENT and grade.grade in statement.steps
    return is_named and severity_weight(grade) >= _DEGENERATION_WEIGHT


def _in_order(grades: Iterable[Grade]) -> list[Grade]:
    """Return grades by severity, then from cranial to caudal, then left before right."""
    return sorted(
        grades, key=lambda grade: (-severity_weight(grade), level_place(grade.level), _side_place(grade.side))
    )


def _rank(statement: Statement) -> tuple[float, int, int]:
    """Return the sort key inside a level: severity, the condition's priority, left before right."""
    grade = statement.grade
    return -severity_weight(grade), _priorities()[grade.condition], _side_place(grade.side)


def _side_place(side: Side | None) -> int:
    return 0 if side is None else 1 + list(Side).index(side)


@cache
def _priorities() -> dict[Condition, int]:
    return {Condition(row["condition"]): index for index, row in enumerate(_table()["priorities"])}


def _table() -> dict[str, Any]:
    return read_template("impression.yaml")
