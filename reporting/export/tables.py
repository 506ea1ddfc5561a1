"""Findings and text as CSV tables: grades, measurements, levels, sentences.

The files are UTF-8 with a byte order mark: without it Excel reads them in the code page of the machine and spoils
every sign past ASCII; pandas and R leave the mark out by themselves (Python's ``csv`` with ``utf-8-sig``). Lines
end as RFC 4180 has it. A text that a spreadsheet would take for a formula gets an apostrophe before it; a number
stays one, negative ones too. An empty cell means that there is no value; ``reason`` and ``doubt`` say why.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from io import StringIO

from anatomy import CONDITIONS, SCALES
from grading.types import Evidence, Grade
from reporting.export.content import Outgoing
from reporting.export.package import ExportedFile, Package
from segmentation.types import Level, Measurement

Cell = str | float | int | bool | None

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Source: OWASP, CSV Injection; the full-width signs count too."""

_COMMON = ("study_key", "status", "mark", "version")
_PLACE = ("series", "slice", "box_x0_px", "box_y0_px", "box_x1_px", "box_y1_px")
_GRADES = (
    "id", "level", "side", "condition", "condition_words", "scale", "grade", "grade_words", "probability",
    "probabilities", "prediction_set", "is_check", "grade_status", "reason", *_PLACE, "measurements",
)  # fmt: skip
_MEASUREMENTS = (
    "id", "name", "level", "side", "value", "unit", "percentile", "method", "reason", "series", "slice",
)  # fmt: skip
_LEVELS = (
    "name", "series", "slice", "centre_x_px", "centre_y_px", "posterior_x_px", "posterior_y_px", "centre_x_ras_mm",
    "centre_y_ras_mm", "centre_z_ras_mm", "confidence", "doubt",
)  # fmt: skip
_SENTENCES = (
    "section", "number", "text", "findings", "earlier_findings", "replaced_text",
)  # fmt: skip


def csv_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the four tables; slices count from 0, pixels are those of the slice as the project stores it."""
    outgoing = package.outgoing
    findings = outgoing.findings
    tables: dict[str, tuple[tuple[str, ...], list[Sequence[Cell]]]] = {
        "grades": (_GRADES, [_grade(item) for item in findings.grades]),
        "measurements": (_MEASUREMENTS, [_measurement(item) for item in findings.measurements]),
        "levels": (_LEVELS, [_level(item) for item in findings.levels]),
        "sentences": (_SENTENCES, list(_sentences(outgoing))),
    }
    return tuple(
        ExportedFile(f"csv/{name}.csv", "text/csv; charset=utf-8", _table(head, rows, outgoing))
        for name, (head, rows) in tables.items()
    )


def guarded(value: Cell) -> str:
    """Return a cell as it may stand in a spreadsheet: a text is never taken for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]], outgoing: Outgoing) -> bytes:
    common = (outgoing.study_key, outgoing.status.value, outgoing.mark, outgoing.version)
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow((*_COMMON, *head))
    writer.writerows([guarded(cell) for cell in (*common, *row)] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def _grade(grade: Grade) -> tuple[Cell, ...]:
    step = None if grade.grade is None else SCALES[grade.scale].step(grade.grade)
    return (
        grade.id,
        grade.level,
        None if grade.side is None else grade.side.value,
        grade.condition.value,
        CONDITIONS[grade.condition].words,
        grade.scale,
        grade.grade,
        None if step is None else step.words,
        grade.probabilities.get(grade.grade or ""),
        json.dumps(grade.probabilities) if grade.probabilities else None,
        "|".join(grade.prediction_set),
        grade.is_check,
        grade.status.value,
        grade.reason,
        *_place(grade.evidence),
        "|".join(grade.measurement_ids),
    )


def _place(evidence: Evidence | None) -> tuple[Cell, ...]:
    if evidence is None:
        return (None,) * len(_PLACE)
    return (evidence.series_id, evidence.slice_index, *evidence.box_px)


def _measurement(item: Measurement) -> tuple[Cell, ...]:
    side = None if item.side is None else item.side.value
    value = (item.value, item.unit, item.percentile, item.method, item.reason, item.series_id, item.slice_index)
    return (item.id, item.name, item.level, side, *value)


def _level(level: Level) -> tuple[Cell, ...]:
    world: tuple[Cell, ...] = (None, None, None) if level.centre_ras_mm is None else level.centre_ras_mm
    place = (level.series_id, level.slice_index, *level.centre_px, *level.posterior_px)
    return (level.name, *place, *world, level.confidence, level.doubt)


def _sentences(outgoing: Outgoing) -> Iterator[tuple[Cell, ...]]:
    for section in outgoing.report.sections:
        for number, item in enumerate(section.sentences, start=1):
            ids = ("|".join(item.finding_ids), "|".join(item.prior_finding_ids))
            yield section.name, number, item.text, *ids, item.replaced_text
