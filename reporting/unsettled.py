"""What the impression must not pass over in silence: a check that sees what the grade does not, a canal that ends.

Both are shown rather than decided: nobody has settled which of two ways of grading is right, and a canal that
cannot be outlined between levels where it was may be obliterated, or leave the slice.
"""

from dataclasses import replace

from anatomy import SCALES, Condition
from grading.types import Findings, Grade
from reporting.grammar import positive_items
from reporting.levels_text import levels_text
from reporting.phrases import read_template
from reporting.places import level_place
from reporting.statements import abnormal_steps, is_abnormal, state, steps_of

_CANAL = "canal_ap_diameter"
_PRESENCE = 2

Line = tuple[str, tuple[str, ...]]
"""A sentence and the grades and measurements it rests on."""


def unsettled_lines(findings: Findings) -> list[Line]:
    """Return a line for each finding that a check makes and its grade rules out; levels with the same share it.

    Neighbouring steps (normal by its looks, moderate by measurement) are left to the technique section.
    """
    frames = read_template("composer.yaml")
    together: dict[str, list[tuple[Grade, Grade]]] = {}
    for check in sorted(findings.grades, key=lambda grade: level_place(grade.level)):
        grade = _reported_beside(check, findings)
        if grade is not None:
            (item,) = positive_items([replace(state(check, findings), measurements=())])
            together.setdefault(item, []).append((check, grade))
    lines = []
    for item, pairs in together.items():
        levels = [check.level for check, _ in pairs if check.level is not None]
        name = "unsettled" if levels else "unsettled_study"
        text = frames[name].format(item=item, levels=levels_text(levels) if levels else "")
        lines.append((text, tuple(grade.id for pair in pairs for grade in pair)))
    return lines


def interrupted_canal(findings: Findings) -> Line | None:
    """Return a line on the discs behind which no canal was outlined, though it was above and below."""
    widths = {item.level: item for item in findings.measurements if item.name == _CANAL and item.side is None}
    order = [level.name for level in findings.levels if level.name in widths]
    seen = [index for index, level in enumerate(order) if widths[level].value is not None]
    lost = [
        level for index, level in enumerate(order) if seen and seen[0] < index < seen[-1] and index not in seen
    ]
    if not lost:
        return None
    grades = [
        grade.id
        for level in lost
        for grade in findings.grades_at(level)
        if grade.condition is Condition.SPINAL_CANAL_STENOSIS
    ]
    text = read_template("composer.yaml")["interrupted"].format(levels=levels_text(lost))
    return text, (*grades, *(widths[level].id for level in lost))


def _reported_beside(check: Grade, findings: Findings) -> Grade | None:
    """Return the grade of a check's place if it rules out what the check finds, else None."""
    if not check.is_check or not set(steps_of(check)) & abnormal_steps(check.scale):
        return None
    place = (check.level, check.side, check.condition)
    for grade in findings.reported:
        if (grade.level, grade.side, grade.condition) == place and grade.grade is not None:
            return None if is_abnormal(state(grade, findings)) or _are_neighbours(check, grade) else grade
    return None


def _are_neighbours(check: Grade, grade: Grade) -> bool:
    """Tell whether two grades are one step apart on scales of the same, more than two steps."""
    steps, others = SCALES[check.scale].grades, SCALES[grade.scale].grades
    if steps != others or len(steps) <= _PRESENCE:
        return False
    return abs(steps.index(str(check.grade)) - steps.index(str(grade.grade))) == 1
