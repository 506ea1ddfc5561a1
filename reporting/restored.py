"""A reading.json that we stored ourselves, as records again, with all of its words.

A file that a stranger may have written is read by ``reporting.stored``, which leaves its free text behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anatomy import SCALES, Condition, Side
from grading.types import Burden, BurdenTerm, Findings, Grade, GradeStatus
from reporting.prior import Comparison, compare_with_prior
from reporting.stored import read_findings
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from segmentation.types import Level, Measurement


def restore_findings(document: Mapping[str, Any]) -> Findings:
    """Return the findings graph of a reading as the machine made it, reasons and score included."""
    bare = read_findings(document)
    grades = {row["id"]: row for row in document["grades"]}
    levels = {row["name"]: row for row in document["levels"]}
    values = {row["id"]: row for row in document["measurements"]}
    return replace(
        bare,
        sequences=tuple(dict.fromkeys(row["role"] for row in document["study"]["series"] if row["role"])),
        levels=tuple(_with_place(level, levels[level.name]) for level in bare.levels),
        measurements=tuple(_with_words(item, values[item.id]) for item in bare.measurements),
        grades=tuple(replace(grade, reason=grades[grade.id]["reason"]) for grade in bare.grades),
        burden=_burden(document["burden"]),
    )


def restore_report(document: Mapping[str, Any]) -> Report:
    """Return the report of a reading."""
    stored = document["report"]
    sections = tuple(
        ReportSection(item["name"], tuple(_sentence(row) for row in item["sentences"]))
        for item in stored["sections"]
    )
    return Report(ReportState(stored["state"]), sections)


def restore_comparison(document: Mapping[str, Any], findings: Findings) -> Comparison | None:
    """Return the change table against the earlier reading; None without one."""
    table = document.get("comparison")
    if table is None:
        return None
    return compare_with_prior(findings, restore_prior(table, findings.protocol), notices=table["notices"])


def restore_prior(table: Mapping[str, Any], protocol: str) -> Findings:
    """Return the earlier findings as far as the change table holds them."""
    grades = tuple(_prior_grade(row) for row in table["grades"] if row["before"] is not None)
    values = tuple(_prior_value(row) for row in table["measurements"] if row["before"] is not None)
    return Findings("prior", protocol, (), (), values, grades, Burden(None, None, (), "none"))


def _sentence(row: Mapping[str, Any]) -> ReportSentence:
    return ReportSentence(
        row["text"],
        tuple(row["finding_ids"]),
        SentenceSource(row["source"]),
        SentenceStatus(row["status"]),
        replaced_text=row.get("replaced_text"),
        prior_finding_ids=tuple(row.get("prior_finding_ids", ())),
    )


def _with_place(level: Level, row: Mapping[str, Any]) -> Level:
    centre = row["centre_mm"]
    return replace(level, doubt=row["doubt"], centre_ras_mm=None if centre is None else tuple(centre))


def _with_words(item: Measurement, row: Mapping[str, Any]) -> Measurement:
    return replace(item, method=row["method"], reason=row["reason"], percentile=row["percentile"])


def _burden(row: Mapping[str, Any]) -> Burden:
    interval = row.get("interval")
    return Burden(
        score=row["score"],
        category=row["category"],
        terms=tuple(BurdenTerm(term["grade"], term["points"]) for term in row["terms"]),
        formula=row["formula"],
        interval=None if interval is None else (interval[0], interval[1]),
        expected=row.get("expected"),
        upper_bound=row.get("upper_bound"),
        completeness=row.get("completeness"),
    )


def _prior_grade(row: Mapping[str, Any]) -> Grade:
    before = row["before"]
    scale = str(row["scale"])
    chosen = set(before["prediction_set"])
    return Grade(
        id=before["id"],
        level=row["level"],
        side=None if row["side"] is None else Side(row["side"]),
        condition=Condition(row["condition"]),
        scale=scale,
        grade=before["grade"],
        probabilities={},
        prediction_set=tuple(step for step in SCALES[scale].grades if step in chosen),
        status=GradeStatus(before["status"]),
        reason=None if before["status"] == GradeStatus.GRADED.value else "not said",
        evidence=None,
    )


def _prior_value(row: Mapping[str, Any]) -> Measurement:
    value = row["before"]["value"]
    return Measurement(
        id=row["before"]["id"],
        name=row["name"],
        level=row["level"],
        side=None if row["side"] is None else Side(row["side"]),
        value=value,
        unit=row["unit"],
        method="",
        reason=None if value is not None else "not said",
        series_id="",
        slice_index=None,
    )
