"""Findings as compact text for the language model's prompt; one line a level, the same findings the same text.

``L4-L5 | disc_degeneration pfirrmann III,IV | disc_bulging present | spinal_canal_stenosis severe 9.8 mm``

Every step that cannot be excluded is written (comma between them), ``?`` stands for not assessable. Values are
rounded as in the report. Nothing identifies the patient.
"""

from grading.types import Findings, Grade, GradeStatus
from reporting.statements import said_measurements, state, steps_of

SERIAL_VERSION = "findings-text/1"
"""Goes into the provenance; a language model is trained for one version."""

NAMED_SCALES = frozenset({"pfirrmann", "modic", "kang", "as_stage"})
"""Scales written by name; the steps of the others speak for themselves."""


def serialise_findings(findings: Findings) -> str:
    """Return all levels, cranial to caudal, and the burden, one line each."""
    lines = [f"sequences {' '.join(findings.sequences)}"]
    lines += [serialise_level(findings, level) for level in graded_levels(findings)]
    burden = findings.burden
    lines.append("burden ?" if burden.score is None else f"burden {burden.score:.0f} {burden.category}")
    return "\n".join(lines)


def serialise_level(findings: Findings, level: str | None) -> str:
    """Return the facts of one level on one line (``study`` for what belongs to no level)."""
    parts = [level or "study"]
    if any(item.name == level and item.doubt for item in findings.levels):
        parts[0] += " doubt"
    parts += [_grade_text(grade, findings) for grade in findings.grades_at(level)]
    return " | ".join(parts)


def graded_levels(findings: Findings) -> tuple[str | None, ...]:
    """Return the levels that have grades, in the order of Findings (cranial to caudal)."""
    return tuple(dict.fromkeys(grade.level for grade in findings.reported))


def _grade_text(grade: Grade, findings: Findings) -> str:
    statement = state(grade, findings)
    words = [grade.condition.value]
    if grade.side is not None:
        words.append(grade.side.value)
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        return " ".join([*words, "?"])
    if grade.scale in NAMED_SCALES and grade.scale != grade.condition.value:
        words.append(grade.scale)
    words.append(",".join(steps_of(grade)))
    return " ".join(
        [*words, *(f"{abs(item.value or 0.0):.1f} {item.unit}" for item in said_measurements(statement))]
    )
