"""Findings of real patients from SPIDER's gradings, as the grading room would record them.

SPIDER grades no canal stenosis: that is drawn (not assessable, or by prevalence), because the service states it.
Where the findings are withheld from the prompt, only what SPIDER grades may be asked of the regions.
"""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from anatomy import DISC_LEVELS, SCALES, Condition, Protocol
from grading.types import Findings, Grade, GradeStatus
from runtime.errors import StudyError
from vlm.training.synthetic_findings import draw_findings, widen_sets

COLUMNS = {
    Condition.DISC_DEGENERATION: "Pfirrman grade",
    Condition.DISC_NARROWING: "Disc narrowing",
    Condition.DISC_BULGING: "Disc bulging",
    Condition.DISC_HERNIATION: "Disc herniation",
    Condition.SPONDYLOLISTHESIS: "Spondylolisthesis",
    Condition.MODIC: "Modic",
    Condition.UPPER_ENDPLATE_CHANGE: "UP endplate",
    Condition.LOWER_ENDPLATE_CHANGE: "LOW endplate",
}
"""Condition -> column of ``gradings.csv``."""

RATED = frozenset(COLUMNS)
"""Conditions that SPIDER grades."""

Gradings = dict[int, dict[str, dict[Condition, str]]]
"""Patient -> level -> condition -> step."""


def load_gradings(data_dir: Path) -> Gradings:
    """Read ``spider/gradings.csv``; ``IVD label`` 1 is L5-S1 and counts upward.

    Raises:
        StudyError: If the file is missing.
    """
    file = data_dir / "spider" / "gradings.csv"
    if not file.is_file():
        raise StudyError(f"gradings: expected {file.name} under {data_dir} (SPINESCRIBE_DATA), found nothing")
    gradings: Gradings = {}
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            level = DISC_LEVELS[-int(row["IVD label"])]
            steps = {condition: _step(condition, int(row[column])) for condition, column in COLUMNS.items()}
            gradings.setdefault(int(row["Patient"]), {})[level] = steps
    return gradings


def real_findings(
    steps: dict[str, dict[Condition, str]], protocol: Protocol, rng: np.random.Generator, *, widen: bool
) -> Findings:
    """Return the findings of one patient.

    Args:
        steps: Level -> condition -> step, from ``load_gradings``.
        protocol: Levels and conditions of the report.
        rng: Draws what SPIDER does not grade, measurements, and prediction sets.
        widen: True draws prediction sets around the gradings, as a calibrated grader gives them.
    """
    drawn = draw_findings(rng, protocol, levels=tuple(level for level in protocol.levels if level in steps))
    grades = tuple(_graded(grade, steps[grade.level]) for grade in drawn.grades if grade.level is not None)
    findings = replace(drawn, study_key="spider", grades=grades)
    return widen_sets(findings, rng) if widen else findings


def rated_only(findings: Findings) -> Findings:
    """Return the findings without the conditions that SPIDER does not grade."""
    return replace(findings, grades=tuple(grade for grade in findings.grades if grade.condition in RATED))


def _graded(grade: Grade, steps: dict[Condition, str]) -> Grade:
    step = steps.get(grade.condition)
    if step is None:
        return grade
    return replace(
        grade, grade=step, prediction_set=(step,), status=GradeStatus.GRADED, reason=None, probabilities={}
    )


def _step(condition: Condition, number: int) -> str:
    if condition is Condition.DISC_DEGENERATION:
        return SCALES["pfirrmann"].grades[number - 1]
    if condition is Condition.MODIC:
        return str(number)
    return "present" if number > 0 else "absent"
