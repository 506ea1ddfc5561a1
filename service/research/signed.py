"""What readers signed: the sections and decisions of reports that stand signed, beside what the machine proposed.

A report that was reopened for an amendment is left out until it is signed anew: what it says is not settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.store.tables import Decision, StoredReading, Study, StudyReport
from service.store.words import ReportStatus
from service.studies.access import visible_to

Sentence = Mapping[str, Any]
Section = Mapping[str, Any]

LEAST_ALIKE = 0.5
"""Likeness (difflib, 0 to 1) from which one sentence is taken for an edit of the other. Own choice."""


@dataclass(frozen=True)
class SignedReport:
    """A signed report beside the reading it came from.

    Attributes:
        study: Row of the study.
        reading: Row of the reading that was proposed.
        proposed: Sections as the machine drafted them.
        signed: Sections as they were signed; a row may be hidden (left out by the reader), and names in ``slot``
            the proposed sentence in whose place it stands (``findings-0``: section and number).
        decisions: By finding id, sorted.
    """

    study: Study
    reading: StoredReading
    proposed: Sequence[Section]
    signed: Sequence[Section]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class SentenceChange:
    """A sentence that a reader changed, wrote or took out.

    Attributes:
        section: Name of the section.
        machine: As it was proposed; None when the reader wrote it.
        signed: As it was signed; None when the reader took it out.
    """

    section: str
    machine: Sentence | None
    signed: Sentence | None

    @property
    def kind(self) -> str:
        """Return ``edited``, ``added`` or ``removed``."""
        if self.machine is None:
            return "added"
        return "removed" if self.signed is None else "edited"

    @property
    def finding_ids(self) -> tuple[str, ...]:
        """Return the findings that either form rests on, as they were first named."""
        both = [item for item in (self.machine, self.signed) if item is not None]
        return tuple(dict.fromkeys(str(name) for item in both for name in item.get("finding_ids", ())))


def signed_reports(session: Session, actor: Actor) -> Iterator[SignedReport]:
    """Yield the signed reports of studies that the actor may see; generated samples are left out."""
    chosen = (
        select(StudyReport, Study, StoredReading)
        .join(Study, Study.id == StudyReport.study_id)
        .join(StoredReading, StoredReading.id == StudyReport.reading_id)
        .where(visible_to(actor), Study.is_sample.is_(False))
        .where(StudyReport.status == ReportStatus.SIGNED.value)
        .order_by(Study.id)
    )
    for report, study, reading in session.execute(chosen).all():
        made = session.scalars(select(Decision).where(Decision.study_id == study.id).order_by(Decision.finding_id))
        yield SignedReport(study, reading, report.proposed, report.current, tuple(made))


def sentence_changes(report: SignedReport) -> list[SentenceChange]:
    """Return what the reader changed, section by section, in the order of the signed report."""
    signed = {str(section["name"]): section["sentences"] for section in report.signed}
    proposed = {str(section["name"]): section["sentences"] for section in report.proposed}
    return [
        change
        for name in dict.fromkeys((*proposed, *signed))
        for change in _section_changes(name, proposed.get(name, ()), signed.get(name, ()))
    ]


def _section_changes(
    name: str, proposed: Sequence[Sentence], signed: Sequence[Sentence]
) -> Iterator[SentenceChange]:
    slots = {f"{name}-{number}": sentence for number, sentence in enumerate(proposed)}
    left, written = _without_equal(proposed, [item for item in signed if not item.get("is_hidden")])
    for sentence in written:
        source = _source_of(sentence, slots.get(str(sentence.get("slot"))), left)
        if source is not None:
            left.remove(source)
        yield SentenceChange(name, source, sentence)
    yield from (SentenceChange(name, sentence, None) for sentence in left)


def _without_equal(
    proposed: Sequence[Sentence], signed: Sequence[Sentence]
) -> tuple[list[Sentence], list[Sentence]]:
    """Return what is left of both when sentences of one text are paired off."""
    left, written = list(proposed), []
    for sentence in signed:
        same = next((item for item in left if item["text"] == sentence["text"]), None)
        if same is None:
            written.append(sentence)
        else:
            left.remove(same)
    return left, written


def _source_of(sentence: Sentence, told: Sentence | None, candidates: Sequence[Sentence]) -> Sentence | None:
    """Return the proposed sentence that this one is an edit of: the one in its slot, else the most alike."""
    if told in candidates or not candidates:
        return told if candidates else None
    rated = [(_likeness(item, sentence), number) for number, item in enumerate(candidates)]
    best, number = max(rated, key=lambda pair: (pair[0], -pair[1]))
    return candidates[number] if best >= LEAST_ALIKE else None


def _likeness(first: Sentence, second: Sentence) -> float:
    return SequenceMatcher(None, str(first["text"]), str(second["text"]), autojunk=False).ratio()
