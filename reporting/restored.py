"""A reading.json that we stored ourselves, as records again, with all of its words.

A file that a stranger may have written is read by ``reporting.stored``, which leaves its free text behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from anatomy import SCALES, Condition, Side
from grading.types import Burden, BurdenTerm, Findings, Grade, GradeStatus
from reporting.prior.types import Change, Comparison, GradeChange, ValueChange
from reporting.stored import UNSAID, read_findings
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from segmentation.types import Level, Measurement

Found = TypeVar("Found", Grade, Measurement)


def restore_findings(document: Mapping[str, Any]) -> Findings:
    """Return the findings graph of a reading as the machine made it, reasons and score included."""
    bare = read_findings(document)
    levels = zip(bare.levels, document["levels"], strict=True)
    values = zip(bare.measurements, document["measurements"], strict=True)
    grades = zip(bare.grades, document["grades"], strict=True)
    return replace(
        bare,
        sequences=tuple(dict.fromkeys(row["role"] for row in document["study"]["series"] if row["role"])),
        levels=tuple(_with_place(level, row) for level, row in levels),
        measurements=tuple(_with_words(item, row) for item, row in values),
        grades=tuple(replace(grade, reason=row["reason"]) for grade, row in grades),
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
    """Return the change table against the earlier reading, by the rules of its day; None without one.

    Args:
        document: Content of reading.json.
        findings: As restored from it.
    """
    table = document.get("comparison")
    if table is None:
        return None
    prior = restore_prior(table, findings.protocol)
    grades = {grade.id: grade for grade in findings.grades}, {grade.id: grade for grade in prior.grades}
    values = {item.id: item for item in findings.measurements}, {item.id: item for item in prior.measurements}
    return Comparison(
        rules=table["rules"],
        prior=prior,
        grades=tuple(
            GradeChange(*_both(row, *grades), Change(row["change"]), row["reason"]) for row in table["grades"]
        ),
        values=tuple(
            ValueChange(
                *_both(row, *values), row["difference"], row["limit"], Change(row["change"]), row["reason"]
            )
            for row in table["measurements"]
        ),
        notices=tuple(table["notices"]),
    )


def restore_prior(table: Mapping[str, Any], protocol: str) -> Findings:
    """Return the earlier findings as far as the change table holds them."""
    grades = tuple(_prior_grade(row) for row in table["grades"] if row["before"] is not None)
    values = tuple(_prior_value(row) for row in table["measurements"] if row["before"] is not None)
    return Findings("prior", protocol, (), (), values, grades, Burden(None, None, (), "none"))


def _both(
    row: Mapping[str, Any], here: Mapping[str, Found], before: Mapping[str, Found]
) -> tuple[Found | None, Found | None]:
    """Return the earlier item and this reading's one of a row of the change table."""
    then, now = row["before"], row["now"]
    return None if then is None else before[then["id"]], None if now is None else here[now["id"]]


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
    line = row["line_px"]
    return replace(
        item,
        method=row["method"],
        reason=row["reason"],
        percentile=row["percentile"],
        line_px=None if line is None else ((line[0][0], line[0][1]), (line[1][0], line[1][1])),
    )


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
        reason=None if before["status"] == GradeStatus.GRADED.value else UNSAID,
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
        reason=None if value is not None else UNSAID,
        series_id="",
        slice_index=None,
    )
