"""Edits of a report for the gallery of metrics: errors that change what it says, and rewordings that do not.

Each edit takes a case (its findings and its text, level by level, in the composer's wording) and returns the
edited report, or None where the case has nothing to edit. An edit of a finding changes the grade and words that
level anew, so that nothing else in the text moves.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from anatomy import DISC_LEVELS, SCALES, Condition, Side
from anatomy.levels import neighbours
from grading.types import Findings, Grade
from reporting import compose_level
from reporting.statements import abnormal_steps

SWAPPED = (
    Condition.DISC_BULGING, Condition.DISC_HERNIATION, Condition.DISC_NARROWING, Condition.SPONDYLOLISTHESIS,
    Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE,
)  # fmt: skip
"""Conditions that are there or not, without a side."""
SHORT = {
    "disc herniation": "HNP", "left ": "Lt ", "right ": "Rt ", "neural foraminal narrowing": "NFN",
    "moderate": "mod", "Pfirrmann grade": "Pfirrmann",
}  # fmt: skip
BOILERPLATE = (
    " Clinical correlation is recommended. This report was prepared with standard departmental templates. Please "
    "contact the radiology department with any questions about this examination."
)


@dataclass(frozen=True)
class Case:
    """One patient.

    Attributes:
        patient: Number in SPIDER.
        findings: Each grade with one step.
        others: Reference of another patient.
    """

    patient: int
    findings: Findings
    others: str = ""

    @property
    def reference(self) -> str:
        """Return the report: every level in the composer's wording."""
        return report_of(self.findings)

    @property
    def random(self) -> Random:
        """Return a source of chance of the patient's own."""
        return Random(self.patient)


Edit = Callable[[Case], str | None]


def report_of(findings: Findings, style: str = "structured", rng: Random | None = None) -> str:
    """Return the text of all levels."""
    return " ".join(level_texts(findings, style, rng).values())


def level_texts(findings: Findings, style: str = "structured", rng: Random | None = None) -> dict[str, str]:
    """Return level -> text."""
    levels = dict.fromkeys(str(grade.level) for grade in findings.reported)
    return {
        level: " ".join(item.text for item in compose_level(findings, level, style=style, rng=rng))
        for level in levels
    }


def at_step(grade: Grade, *steps: str) -> Grade:
    """Return a grade at other steps, the last of them its best."""
    return replace(grade, grade=steps[-1], prediction_set=steps, probabilities={}, measurement_ids=())


def _with(case: Case, *changes: Grade) -> str:
    by_id = {grade.id: grade for grade in changes}
    grades = tuple(by_id.get(grade.id, grade) for grade in case.findings.grades)
    return report_of(replace(case.findings, grades=grades))


def _is_there(grade: Grade) -> bool:
    return grade.grade in abnormal_steps(grade.scale)


def _pick(case: Case, is_wanted: Callable[[Grade], bool]) -> Grade | None:
    found = [grade for grade in case.findings.reported if grade.grade is not None and is_wanted(grade)]
    return case.random.choice(found) if found else None


def _pairs(case: Case) -> list[tuple[Grade, Grade]]:
    """Return left and right grades of one place that differ."""
    known = {(grade.level, grade.condition, grade.side): grade for grade in case.findings.reported if grade.grade}
    pairs = [
        (grade, known[level, condition, Side.RIGHT])
        for (level, condition, side), grade in known.items()
        if side is Side.LEFT and (level, condition, Side.RIGHT) in known
    ]
    return [pair for pair in pairs if pair[0].grade != pair[1].grade]


def _swapped(first: Grade, second: Grade) -> tuple[Grade, Grade]:
    return at_step(first, str(second.grade)), at_step(second, str(first.grade))


def side_swap(case: Case) -> str | None:
    pairs = _pairs(case)
    return _with(case, *_swapped(*case.random.choice(pairs))) if pairs else None


def every_side_swapped(case: Case) -> str | None:
    pairs = _pairs(case)
    return _with(case, *(grade for pair in pairs for grade in _swapped(*pair))) if pairs else None


def level_shift(case: Case) -> str | None:
    at = {(grade.level, grade.condition): grade for grade in case.findings.reported if grade.condition in SWAPPED}
    moves = [
        (grade, other)
        for (level, condition), grade in at.items()
        for near in neighbours(str(level))
        if (other := at.get((near, condition))) and other.grade and _is_there(grade) and not _is_there(other)
    ]
    return _with(case, *_swapped(*case.random.choice(moves))) if moves else None


def numbering_off_by_one(case: Case) -> str | None:
    above = {level: DISC_LEVELS[index - 1] for index, level in enumerate(DISC_LEVELS) if index}
    return re.sub(r"[TL]\d+-[LST]\d+", lambda match: above.get(match[0], match[0]), case.reference)


def negation_dropped(case: Case) -> str | None:
    grade = _pick(case, lambda item: item.condition in SWAPPED and not _is_there(item))
    return None if grade is None else _with(case, at_step(grade, "present"))


def negation_added(case: Case) -> str | None:
    grade = _pick(case, lambda item: item.condition in SWAPPED and _is_there(item))
    return None if grade is None else _with(case, at_step(grade, "absent"))


def _moved(case: Case, steps: int) -> str | None:
    """Move one named grade by some steps; it stays abnormal, or was and stays a Pfirrmann step."""

    def target(grade: Grade) -> str | None:
        names = SCALES[grade.scale].grades
        if not SCALES[grade.scale].is_ordinal or len(names) < 3 or grade.grade is None:
            return None
        place = names.index(grade.grade)
        is_named = grade.scale == "pfirrmann" or _is_there(grade)
        for other in (place + steps, place - steps):
            is_step = is_named and 0 <= other < len(names)
            if is_step and (grade.scale == "pfirrmann" or names[other] in abnormal_steps(grade.scale)):
                return names[other]
        return None

    grade = _pick(case, lambda item: target(item) is not None)
    return None if grade is None else _with(case, at_step(grade, str(target(grade))))


def one_step(case: Case) -> str | None:
    return _moved(case, 1)


def two_steps(case: Case) -> str | None:
    return _moved(case, 2)


def finding_missing(case: Case) -> str | None:
    grade = _pick(case, lambda item: item.condition in SWAPPED and _is_there(item))
    if grade is None:
        return None
    rest = tuple(item for item in case.findings.grades if item.id != grade.id)
    return report_of(replace(case.findings, grades=rest))


def level_missing(case: Case) -> str | None:
    texts = level_texts(case.findings)
    gone = case.random.choice(sorted(texts))
    return " ".join(text for level, text in texts.items() if level != gone)


def finding_invented(case: Case) -> str | None:
    level = case.random.choice(sorted(level_texts(case.findings)))
    return f"{case.reference} There is an annular tear at {level}."


def fracture_invented(case: Case) -> str | None:
    return f"{case.reference} There is a wedge compression fracture of L1."


def hedge_added(case: Case) -> str | None:
    grade = _pick(case, lambda item: item.condition in SWAPPED and _is_there(item))
    return None if grade is None else _with(case, at_step(grade, "absent", "present"))


def value_changed(case: Case) -> str | None:
    """Make one measured value 4 mm larger."""
    return _changed_once(case.reference, r"\d+\.\d(?= mm)", lambda match: f"{float(match[0]) + 4.0:.1f}")


def all_normal(case: Case) -> str | None:
    grades = tuple(
        at_step(grade, SCALES[grade.scale].grades[0]) if grade.grade else grade for grade in case.findings.grades
    )
    return report_of(replace(case.findings, grades=grades, measurements=()))


def other_patient(case: Case) -> str | None:
    return case.others


def other_words(case: Case) -> str | None:
    return report_of(case.findings, rng=case.random)


def in_style(style: str) -> Edit:
    """Return the edit that words a report in a style."""
    return lambda case: report_of(case.findings, style, case.random)


def reordered(case: Case) -> str | None:
    return " ".join(reversed(level_texts(case.findings).values()))


def abbreviated(case: Case) -> str | None:
    text = re.sub(r"([TL])(\d+)-[LT](\d+)", r"\1\2/\3", case.reference)
    for words, short in SHORT.items():
        text = text.replace(words, short)
    return text


def with_boilerplate(case: Case) -> str | None:
    return case.reference + BOILERPLATE


def denials_summed_up(case: Case) -> str | None:
    """Replace each level's sentence of denials by "Otherwise unremarkable.", which a reader takes for the same."""
    denial = r"No (?:[^.]|\.(?=\d))*\."
    return re.sub(rf"(?<=[.:] ){denial}(?: {denial})*", "Otherwise unremarkable.", case.reference)


def _changed_once(text: str, pattern: str, write: Callable[[re.Match[str]], str]) -> str | None:
    changed, count = re.subn(pattern, write, text, count=1)
    return changed if count else None


WRONG: Mapping[str, Edit] = {
    "one side swapped": side_swap,
    "every side swapped": every_side_swapped,
    "finding at the next level": level_shift,
    "all levels one off": numbering_off_by_one,
    "negation dropped": negation_dropped,
    "negation added": negation_added,
    "grade one step off": one_step,
    "grade two steps off": two_steps,
    "finding missing": finding_missing,
    "level missing": level_missing,
    "finding invented": finding_invented,
    "fracture invented": fracture_invented,
    "hedge added": hedge_added,
    "measured value changed": value_changed,
    "all normal": all_normal,
    "report of another patient": other_patient,
}
"""Edits after which the report is wrong."""

FAITHFUL: Mapping[str, Edit] = {
    "other words": other_words,
    "narrative style": in_style("narrative"),
    "telegraphic style": in_style("telegraphic"),
    "patient style": in_style("patient"),
    "levels in reverse order": reordered,
    "abbreviations": abbreviated,
    "boilerplate appended": with_boilerplate,
    "denials summed up": denials_summed_up,
}
"""Edits after which it says the same."""
