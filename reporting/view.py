"""A report with its findings as plain rows of text, for Markdown and HTML alike."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anatomy import CONDITIONS, SCALES, load_protocol
from grading.types import Findings, Grade, GradeStatus
from reporting.burden import burden_details, burden_limits
from reporting.parsing.tokens import tokenise
from reporting.prior import Change, Comparison, GradeChange, ValueChange
from reporting.quantities import number_words, percentile_words, quantity_words, unit_words
from reporting.statements import abnormal_steps, steps_of
from reporting.types import Report, ReportSection, SentenceStatus
from segmentation.types import Measurement

DASH = "–"


@dataclass(frozen=True)
class SentenceRow:
    """One sentence."""

    text: str
    ids: str
    is_repaired: bool


@dataclass(frozen=True)
class SectionRows:
    """One section; a paragraph holds the sentences on one level."""

    name: str
    paragraphs: tuple[tuple[SentenceRow, ...], ...]


@dataclass(frozen=True)
class GradeRow:
    """One grade; ``open`` are the other steps, ``kind`` is ``abnormal``, ``normal`` or ``unknown``."""

    id: str
    level: str
    side: str
    condition: str
    scale: str
    grade: str
    probability: str
    open: str
    remark: str
    kind: str


@dataclass(frozen=True)
class MeasurementRow:
    """One measurement; ``kind`` is ``measured`` or ``unknown``."""

    id: str
    level: str
    side: str
    name: str
    value: str
    percentile: str
    method: str
    kind: str


@dataclass(frozen=True)
class TermRow:
    """One grade's share of the burden score."""

    id: str
    what: str
    points: str


@dataclass(frozen=True)
class BurdenRows:
    """The burden score and its terms."""

    text: str
    terms: tuple[TermRow, ...]


@dataclass(frozen=True)
class RepairRow:
    """What a draft said and what stands there now."""

    before: str
    after: str


@dataclass(frozen=True)
class ChangeRow:
    """One condition or quantity beside the earlier reading; ``kind`` is the change."""

    level: str
    side: str
    what: str
    before: str
    now: str
    change: str
    remark: str
    ids: str
    kind: str


@dataclass(frozen=True)
class ReportView:
    """Everything a rendering shows, as text."""

    title: str
    state: str
    study_key: str
    sections: tuple[SectionRows, ...]
    grades: tuple[GradeRow, ...]
    measurements: tuple[MeasurementRow, ...]
    burden: BurdenRows
    repairs: tuple[RepairRow, ...]
    changes: tuple[ChangeRow, ...]
    provenance: str


def build_view(
    report: Report,
    findings: Findings,
    provenance: Mapping[str, Any] | None = None,
    comparison: Comparison | None = None,
) -> ReportView:
    """Return the rows of a report, its findings and, where there is one, its change table."""
    return ReportView(
        title=load_protocol(findings.protocol).title,
        state=report.state.value,
        study_key=findings.study_key,
        sections=_sections(report),
        grades=tuple(_grade_row(grade) for grade in findings.grades),
        measurements=tuple(_measurement_row(item) for item in findings.measurements),
        burden=_burden(findings),
        repairs=_repairs(report),
        changes=() if comparison is None else _changes(comparison),
        provenance="" if provenance is None else json.dumps(provenance, indent=2, sort_keys=True, default=str),
    )


def _sections(report: Report) -> tuple[SectionRows, ...]:
    return tuple(SectionRows(section.name, _paragraphs(section)) for section in report.sections)


def _paragraphs(section: ReportSection) -> tuple[tuple[SentenceRow, ...], ...]:
    """Put sentences together that carry on about the level of the one before (they name none themselves)."""
    paragraphs: list[list[SentenceRow]] = []
    for item in section.sentences:
        ids = ", ".join((*item.finding_ids, *(f"earlier {key}" for key in item.prior_finding_ids)))
        row = SentenceRow(item.text, ids, item.status is SentenceStatus.REPAIRED)
        if paragraphs and section.name == "findings" and item.finding_ids and not _names_level(item.text):
            paragraphs[-1].append(row)
        else:
            paragraphs.append([row])
    return tuple(tuple(paragraph) for paragraph in paragraphs)


def _names_level(text: str) -> bool:
    return any(token.levels for token in tokenise(text))


def _repairs(report: Report) -> tuple[RepairRow, ...]:
    return tuple(
        RepairRow(item.replaced_text or "(left out of the draft)", item.text)
        for section in report.sections
        for item in section.sentences
        if item.status is SentenceStatus.REPAIRED
    )


def _grade_row(grade: Grade) -> GradeRow:
    is_unknown = grade.status is GradeStatus.NOT_ASSESSABLE
    scale = SCALES[grade.scale]
    is_abnormal = bool(set(steps_of(grade)) & abnormal_steps(grade.scale))
    others = [step.replace("_", "/") for step in steps_of(grade) if step != grade.grade]
    probability = grade.probabilities.get(grade.grade or "")
    return GradeRow(
        id=grade.id,
        level=grade.level or DASH,
        side=grade.side.value if grade.side else DASH,
        condition=CONDITIONS[grade.condition].words,
        scale=scale.title,
        grade="not assessable" if is_unknown else scale.step(str(grade.grade)).words,
        probability=DASH if probability is None else f"{probability:.2f}",
        open=", ".join(others) or DASH,
        remark=grade.reason or DASH,
        kind="unknown" if is_unknown else "abnormal" if is_abnormal else "normal",
    )


def _measurement_row(item: Measurement) -> MeasurementRow:
    measured = "" if item.value is None else f"{number_words(item)} {unit_words(item.unit)}".strip()
    return MeasurementRow(
        id=item.id,
        level=item.level or DASH,
        side=item.side.value if item.side else DASH,
        name=quantity_words(item.name),
        value=measured or f"not assessable ({item.reason})",
        percentile=DASH if item.percentile is None else percentile_words(item.percentile),
        method=item.method,
        kind="unknown" if item.value is None else "measured",
    )


def _changes(comparison: Comparison) -> tuple[ChangeRow, ...]:
    """Return the rows of grades, then those of values of which a measurement error is stated."""
    values = [row for row in comparison.values if row.limit is not None]
    return (*(_grade_change(row) for row in comparison.grades), *(_value_change(row) for row in values))


def _grade_change(row: GradeChange) -> ChangeRow:
    return ChangeRow(
        level=row.level or DASH,
        side=row.side.value if row.side else DASH,
        what=CONDITIONS[row.condition].words,
        before=_open_words(row.before),
        now=_open_words(row.now),
        change=_change_words(row.change),
        remark=row.reason or DASH,
        ids=_both_ids(row.now, row.before),
        kind=row.change.value,
    )


def _value_change(row: ValueChange) -> ChangeRow:
    item = row.known
    unit = unit_words(item.unit)
    remark = f"limit {row.limit:.1f} {unit}" if row.limit is not None and row.reason is None else row.reason
    by = "" if row.difference is None else f" ({row.difference:+.1f} {unit})"
    return ChangeRow(
        level=item.level or DASH,
        side=item.side.value if item.side else DASH,
        what=quantity_words(item.name),
        before=_value_words(row.before),
        now=_value_words(row.now),
        change=_change_words(row.change) + by,
        remark=remark or DASH,
        ids=_both_ids(row.now, row.before),
        kind=row.change.value,
    )


def _open_words(grade: Grade | None) -> str:
    if grade is None:
        return DASH
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        return "not assessable"
    return " or ".join(SCALES[grade.scale].step(step).words for step in steps_of(grade))


def _value_words(item: Measurement | None) -> str:
    if item is None or item.value is None:
        return DASH
    return f"{number_words(item)} {unit_words(item.unit)}".strip()


def _change_words(change: Change) -> str:
    return "within measurement error" if change is Change.WITHIN_ERROR else change.value.replace("_", " ")


def _both_ids(now: Grade | Measurement | None, before: Grade | Measurement | None) -> str:
    return f"{DASH if now is None else now.id}, earlier {DASH if before is None else before.id}"


def _burden(findings: Findings) -> BurdenRows:
    burden = findings.burden
    if burden.score is None:
        return BurdenRows(f"No score: no condition could be graded (formula {burden.formula}).", ())
    details = burden_details(burden.category, burden.interval, burden.completeness)
    limits = burden_limits(burden.upper_bound, burden.completeness)
    text = f"{burden.score:.0f} of 100 ({details}). {limits} Formula {burden.formula}.".replace("  ", " ")
    terms = sorted((term for term in burden.terms if term.points > 0), key=lambda term: -term.points)
    return BurdenRows(text, tuple(_term_row(term.grade_id, term.points, findings) for term in terms))


def _term_row(grade_id: str, points: float, findings: Findings) -> TermRow:
    grade = findings.grade(grade_id)
    what = DASH
    if grade is not None and grade.grade is not None:
        side = f" {grade.side.value}" if grade.side else ""
        step = SCALES[grade.scale].step(grade.grade).words
        what = f"{grade.level or ''}{side} {CONDITIONS[grade.condition].words}: {step}".strip()
    return TermRow(grade_id, what, f"{points:.1f}")
