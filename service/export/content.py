"""A report as its readers left it, as it may leave: what is not signed carries the mark of a draft."""

from __future__ import annotations

from dataclasses import replace

from anatomy import SCALES, load_protocol
from grading.triage import triage_alert
from grading.types import Grade
from reporting.export.content import NOT_SIGNED, DecisionLine, Outgoing, SignedBy, grade_words, mark_of
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from service.review.case import Case
from service.review.graph import REJECTED, decided_grades, decided_notices
from service.review.provenance import provenance_of
from service.review.rows import Origin, Row
from service.review.signing import is_final


def build_outgoing(case: Case, overlay_png: bytes | None = None) -> Outgoing:
    """Return a report as it may leave."""
    grades = decided_grades(case.machine, case.rulings)
    return Outgoing(
        title=load_protocol(case.machine.protocol).title,
        study_key=case.machine.study_key,
        status=ReportState(case.status.value),
        version=case.version,
        mark=mark_of(ReportState(case.status.value)),
        standing=_standing(case),
        report=_report(case),
        findings=replace(case.decided, grades=tuple(_told(grade, case) for grade in grades)),
        comparison=case.comparison,
        alert=triage_alert(case.decided.grades),
        decisions=_decisions(case),
        provenance=provenance_of(case),
        notices=tuple(decided_notices(case.document, case.machine, case.rulings)),
        at=case.at,
        overlay_png=overlay_png,
        signature=_signature(case),
        amended_version=case.amended_version,
    )


def _signature(case: Case) -> SignedBy | None:
    if not is_final(case.status) or case.signature is None:
        return None
    return SignedBy(case.name(case.signature.user_id), case.signature.at)


def _standing(case: Case) -> str:
    signed = _signature(case)
    return NOT_SIGNED if signed is None else f"Signed by {signed.name} on {signed.at:%Y-%m-%d %H:%M} UTC."


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
