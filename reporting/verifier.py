"""Draft to Report: every sentence is checked, what does not hold is written anew, what was left out is added.

Sentences are checked in order, each in the context of the text that the reader will see before it (repairs
included). A sentence that is contradicted or unsupported, or that leaves out a finding it was meant to state, is
replaced by the composer's words for these findings; with no such finding it is replaced by a plain remark, and in
both cases its text is kept.
Positive findings that the draft never mentions are added. The result is checked again; should it not hold, the
whole report is the composer's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from anatomy import CONDITIONS
from grading.types import Findings, Grade
from reporting.checker import Checker, SentenceContext
from reporting.composer import compose_findings, compose_report
from reporting.phrases import read_template
from reporting.prior import Comparison, compose_comparison
from reporting.serialise import graded_levels
from reporting.statements import Polarity, is_abnormal, states
from reporting.temporal import TemporalChecker
from reporting.types import (
    Draft,
    DraftSection,
    DraftSentence,
    Report,
    ReportSection,
    ReportSentence,
    ReportState,
    SentenceSource,
    SentenceStatus,
    Verdict,
    VerdictStatus,
)
from runtime.errors import ReportError

_FINDINGS, _COMPARISON = "findings", "comparison"
_SECTIONS = ("technique", _FINDINGS, "impression")


@dataclass(frozen=True)
class _Checked:
    """A sentence of the report being made, with the levels the next one carries."""

    sentence: ReportSentence
    levels: tuple[str, ...]


def verify_draft(draft: Draft, findings: Findings, comparison: Comparison | None = None) -> Report:
    """Check a draft against findings and repair it.

    Args:
        draft: Text with evidence.
        findings: The only source of facts.
        comparison: Change table against an earlier reading, which gives the report a section ``comparison`` in the
            composer's words; None without one, and then no word of comparison survives.

    Returns:
        A report in state ``draft`` in which every sentence is supported.

    Raises:
        ReportError: If the composer's own text for these findings does not hold (a fault of ours).
    """
    checker = TemporalChecker(findings, comparison)
    sections = [_verify_section(section, checker) for section in draft.sections]
    sections = _with_all_sections(sections, findings)
    sections = [_with_omitted(section, checker) if section.name == _FINDINGS else section for section in sections]
    report = Report(ReportState.DRAFT, _with_comparison(sections, findings, comparison))
    if not failures(report, findings, comparison):
        return report
    composed = [_whole_section(item, draft) for item in compose_report(findings).sections]
    whole = Report(ReportState.DRAFT, _with_comparison(composed, findings, comparison))
    left = failures(whole, findings, comparison)
    if left:
        raise ReportError(f"verifier: the composer's own text does not agree with the findings: {left[0]}")
    return whole


def failures(report: Report, findings: Findings, comparison: Comparison | None = None) -> list[str]:
    """Return what is wrong with a report: sentences that are not supported, and positive findings left out."""
    checker = TemporalChecker(findings, comparison)
    wrong: list[str] = []
    for section in report.sections:
        levels: tuple[str, ...] = ()
        for sentence in section.sentences:
            verdict = check_drafted(sentence, levels, checker)
            levels = verdict.levels
            if verdict.status is not VerdictStatus.SUPPORTED:
                wrong.append(f"{sentence.text!r}: {'; '.join(verdict.reasons)}")
        if section.name == _FINDINGS:
            stated = {key for item in section.sentences for key in item.finding_ids}
            wrong += [
                f"{grade.id} is not mentioned" for grade in positive_grades(findings) if grade.id not in stated
            ]
    return wrong


def positive_grades(findings: Findings) -> list[Grade]:
    """Return the grades that a report may not leave out: those with an abnormal step that cannot be excluded."""
    stated = states(findings.reported, findings)
    return [item.grade for item in stated if item.polarity is not Polarity.NOT_ASSESSABLE and is_abnormal(item)]


def _verify_section(section: DraftSection, checker: Checker) -> ReportSection:
    done: list[_Checked] = []
    for sentence in section.sentences:
        levels = done[-1].levels if done else ()
        verdict = check_drafted(sentence, levels, checker)
        if verdict.status is VerdictStatus.SUPPORTED:
            ids = tuple(dict.fromkeys((*sentence.finding_ids, *verdict.finding_ids)))
            kept = ReportSentence(
                sentence.text, ids, sentence.source, SentenceStatus.SUPPORTED, consistency=sentence.consistency
            )
            done.append(_Checked(kept, verdict.levels))
        else:
            done += _repair(sentence, checker, [item.sentence.text for item in done], levels)
    return ReportSection(section.name, tuple(item.sentence for item in done))


def check_drafted(sentence: DraftSentence | ReportSentence, levels: tuple[str, ...], checker: Checker) -> Verdict:
    """Check a sentence with the levels named before it; one that leaves out its evidence is not supported."""
    verdict = checker.check(sentence.text, SentenceContext(levels, sentence.finding_ids))
    unsaid = [
        grade
        for key in sentence.finding_ids
        if key not in verdict.finding_ids and (grade := checker.findings.grade(key)) is not None
    ]
    if verdict.status is not VerdictStatus.SUPPORTED or not unsaid:
        return verdict
    places = (f"{CONDITIONS[grade.condition].words} at {grade.level or 'no level'}" for grade in unsaid)
    reason = f"nothing is said of {', '.join(dict.fromkeys(places))}"
    return replace(verdict, status=VerdictStatus.UNSUPPORTED, reasons=(reason,))


def _repair(
    sentence: DraftSentence, checker: Checker, before: Sequence[str], levels: tuple[str, ...]
) -> list[_Checked]:
    """Return the composer's sentences for the findings a sentence was meant to state, or a remark."""
    meant = [grade for key in sentence.finding_ids if (grade := checker.findings.grade(key)) is not None]
    written = [item for item in _compose(meant, checker.findings) if item.text not in before]
    if not written:
        remark = DraftSentence(read_template("composer.yaml")["removed"], (), SentenceSource.COMPOSER)
        return [_Checked(_repaired(remark, sentence.text), levels)]
    first, *rest = written
    sentences = [_repaired(first, sentence.text), *(_repaired(item, None) for item in rest)]
    checked = []
    for item in sentences:
        levels = checker.check(item.text, SentenceContext(levels)).levels
        checked.append(_Checked(item, levels))
    return checked


def _compose(grades: Iterable[Grade], findings: Findings) -> list[DraftSentence]:
    """Return the composer's sentences for some grades, in the order of Findings, each naming its levels."""
    wanted = {grade.id for grade in grades}
    kept = replace(findings, grades=tuple(grade for grade in findings.grades if grade.id in wanted))
    return compose_findings(kept) if any(grade.grade is not None for grade in kept.reported) else []


def _with_all_sections(sections: list[ReportSection], findings: Findings) -> list[ReportSection]:
    """Add sections that the draft lacks, in the composer's words."""
    given = {section.name: section for section in sections if section.sentences}
    composed = {section.name: section for section in compose_report(findings).sections}
    added = {name: _added(composed[name]) for name in _SECTIONS if name not in given}
    others = [section for section in sections if section.name not in _SECTIONS]
    return [*(given.get(name) or added[name] for name in _SECTIONS), *others]


def _with_comparison(
    sections: Sequence[ReportSection], findings: Findings, comparison: Comparison | None
) -> tuple[ReportSection, ...]:
    """Put the composed comparison behind the findings; it stands in place of a drafted one."""
    if comparison is None:
        return tuple(sections)
    told = tuple(
        ReportSentence(
            item.text,
            item.finding_ids,
            item.source,
            SentenceStatus.SUPPORTED,
            prior_finding_ids=item.prior_finding_ids,
        )
        for item in compose_comparison(comparison, findings)
    )
    kept = [section for section in sections if section.name != _COMPARISON]
    place = next(index for index, section in enumerate(kept) if section.name == _FINDINGS) + 1
    return (*kept[:place], ReportSection(_COMPARISON, told), *kept[place:])


def _with_omitted(section: ReportSection, checker: Checker) -> ReportSection:
    """Add the positive findings that a findings section never mentions, each behind its own level."""
    stated = {key for item in section.sentences for key in item.finding_ids}
    missing = [grade for grade in positive_grades(checker.findings) if grade.id not in stated]
    sentences = list(section.sentences)
    for level in dict.fromkeys(grade.level for grade in missing):
        added = [
            _repaired(item, None) for item in _compose([g for g in missing if g.level == level], checker.findings)
        ]
        place = _place_for(level, sentences, checker)
        sentences[place:place] = added
    return ReportSection(section.name, tuple(sentences))


def _place_for(level: str | None, sentences: Sequence[ReportSentence], checker: Checker) -> int:
    """Return where a sentence on a level belongs: after the last about it, or after the levels above it."""
    order = {name: index for index, name in enumerate(graded_levels(checker.findings))}
    place = 0
    for index, sentence in enumerate(sentences):
        grades = [grade for key in sentence.finding_ids if (grade := checker.findings.grade(key)) is not None]
        if any(order[grade.level] <= order[level] for grade in grades):
            place = index + 1
    return place


def _repaired(item: DraftSentence, replaced: str | None) -> ReportSentence:
    return ReportSentence(item.text, item.finding_ids, SentenceSource.COMPOSER, SentenceStatus.REPAIRED, replaced)


def _added(section: DraftSection) -> ReportSection:
    return ReportSection(section.name, tuple(_repaired(item, None) for item in section.sentences))


def _whole_section(section: DraftSection, draft: Draft) -> ReportSection:
    """Return a section of the composer's report, marked as a repair of the draft's section where texts differ."""
    drafted = [item.text for part in draft.sections if part.name == section.name for item in part.sentences]
    replaced = " ".join(text for text in drafted if text not in {item.text for item in section.sentences})
    sentences = []
    for index, item in enumerate(section.sentences):
        if item.text in drafted:
            sentences.append(ReportSentence(item.text, item.finding_ids, item.source, SentenceStatus.SUPPORTED))
        else:
            sentences.append(_repaired(item, replaced or None if index == 0 else None))
    return ReportSection(section.name, tuple(sentences))
