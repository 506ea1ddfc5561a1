"""What a report shows when it leaves: sentences, decisions, findings as decided, who signed, what made it.

The mark of a draft comes from the status alone, here and nowhere else: every format writes ``mark`` on every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anatomy import SCALES, load_protocol
from grading.triage import triage_alert
from grading.types import Findings, Grade
from reporting.prior import Comparison
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from reporting.view import ReportView, build_view
from service.review.case import Case
from service.review.graph import REJECTED, decided_grades, decided_notices
from service.review.provenance import provenance_of
from service.review.rows import Origin, Row
from service.review.signing import is_final
from service.store.words import ReportStatus

RESEARCH_USE = "Research use only. Not a medical device."

_MARKS = {
    ReportStatus.DRAFT: "DRAFT - not reviewed, not signed",
    ReportStatus.REVIEWED: "DRAFT - reviewed, not signed",
    ReportStatus.AMENDED: "DRAFT - opened for amendment, not signed again",
}


@dataclass(frozen=True)
class DecisionLine:
    """A decision in words."""

    finding_id: str
    what: str
    machine: str
    verdict: str
    by: str
    at: str


@dataclass(frozen=True)
class Outgoing:
    """A report on its way out.

    Attributes:
        title: Of the protocol.
        study_key: Our key of the study.
        status: Status.
        version: Version.
        mark: What stands on every page while it is not signed; None for a signed report.
        standing: Who signed and when, or that nobody did.
        report: Sentences as they stand.
        findings: The graph as decided, rejected findings as not assessable.
        comparison: The change table as decided; None without an earlier reading.
        alert: What must stand above the report; None for nothing.
        decisions: What was decided.
        provenance: Models, versions, rules, thresholds.
        notices: What the machine noticed of its run.
        overlay_png: Picture with structures and levels; None without one.
    """

    title: str
    study_key: str
    status: ReportStatus
    version: int
    mark: str | None
    standing: str
    report: Report
    findings: Findings
    comparison: Comparison | None
    alert: str | None
    decisions: tuple[DecisionLine, ...]
    provenance: Mapping[str, Any]
    notices: tuple[str, ...]
    overlay_png: bytes | None = None

    @property
    def view(self) -> ReportView:
        """Return the rows of text of the report and its tables."""
        return build_view(self.report, self.findings, None, self.comparison)

    @property
    def footer(self) -> str:
        """Return what stands at the foot of every page."""
        return f"{RESEARCH_USE} Study {self.study_key}, version {self.version}."


def build_outgoing(case: Case, overlay_png: bytes | None = None) -> Outgoing:
    """Return a report as it may leave."""
    grades = decided_grades(case.machine, case.rulings)
    return Outgoing(
        title=load_protocol(case.machine.protocol).title,
        study_key=case.machine.study_key,
        status=case.status,
        version=case.version,
        mark=None if is_final(case.status) else _MARKS[case.status],
        standing=_standing(case),
        report=_report(case),
        findings=replace(case.decided, grades=tuple(_told(grade, case) for grade in grades)),
        comparison=case.comparison,
        alert=triage_alert(case.decided.grades),
        decisions=_decisions(case),
        provenance=provenance_of(case),
        notices=tuple(decided_notices(case.document, case.machine, case.rulings)),
        overlay_png=overlay_png,
    )


def _standing(case: Case) -> str:
    if not is_final(case.status) or case.signature is None:
        return "Not signed."
    at = case.signature.at.strftime("%Y-%m-%d %H:%M UTC")
    return f"Signed by {case.name(case.signature.user_id)} on {at}."


def _report(case: Case) -> Report:
    sections = tuple(
        ReportSection(section.name, tuple(_sentence(row) for row in section.visible)) for section in case.current
    )
    return Report(ReportState(case.status.value), sections)


def _sentence(row: Row) -> ReportSentence:
    """Return a row as reporting knows sentences: it has no human ones, and shows neither source."""
    is_machine = row.origin is Origin.MACHINE
    return ReportSentence(
        row.text,
        row.finding_ids,
        SentenceSource(row.source) if is_machine else SentenceSource.COMPOSER,
        SentenceStatus(row.status) if is_machine else SentenceStatus.SUPPORTED,
        replaced_text=row.replaced_text if is_machine else None,
        prior_finding_ids=row.prior_finding_ids,
    )


def _told(grade: Grade, case: Case) -> Grade:
    """Return a decided grade whose remark says what the machine had said."""
    before = case.machine.grade(grade.id)
    if before is None or grade == before:
        return grade
    said = "was rejected" if grade.reason == REJECTED else "was graded anew"
    return replace(grade, reason=f"the machine's grade ({grade_words(before)}) {said} by a reader")


def grade_words(grade: Grade) -> str:
    """Return a grade as its scale says it, with what cannot be excluded."""
    if grade.grade is None:
        return "not assessable"
    scale = SCALES[grade.scale]
    others = [scale.step(step).words for step in grade.prediction_set if step != grade.grade]
    return scale.step(grade.grade).words + (f"; {', '.join(others)} not excluded" if others else "")


def _decisions(case: Case) -> tuple[DecisionLine, ...]:
    lines = []
    for grade in case.machine.reported:
        found = case.decisions.get(grade.id)
        if found is None:
            continue
        right = "" if found.grade is None else f": {SCALES[grade.scale].step(found.grade).words}"
        lines.append(
            DecisionLine(
                finding_id=grade.id,
                what=case.words(grade.id),
                machine=grade_words(grade),
                verdict=f"{found.verdict.value}{right}",
                by=case.name(found.user_id),
                at=found.at.strftime("%Y-%m-%d %H:%M"),
            )
        )
    return tuple(lines)


def provenance_lines(outgoing: Outgoing) -> Sequence[tuple[str, str]]:
    """Return the appendix on provenance as rows: what, value."""
    made = outgoing.provenance
    return [
        ("SpineScribe", str(made["spinescribe"])),
        ("Reading", str(made["reading"])),
        ("Configuration (SHA-256)", str(made["config_hash"])),
        *((f"Weights: {name}", str(value)) for name, value in sorted(made["models"].items())),
        *((f"Rule: {name}", str(value)) for name, value in sorted(made["rules"].items())),
        *((f"Threshold: {name.replace('_', ' ')}", str(value)) for name, value in made["thresholds"].items()),
    ]
