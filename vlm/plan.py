"""What is written where: the composer's report taken apart into slots that the language model writes.

The composer decides content (which levels share a sentence, which findings lead the impression and in what
order); the language model phrases each slot. A slot knows its facts, so every sentence of it has known evidence.
Technique, limits, numbering doubts and the burden line stay the composer's: they hold nothing to phrase.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from grading.types import Findings
from reporting import compose_report, serialise_level
from reporting.types import DraftSentence

FINDINGS, IMPRESSION = "findings", "impression"


@dataclass(frozen=True)
class Slot:
    """A part of a report that the language model writes.

    Attributes:
        section: ``findings`` or ``impression``.
        levels: The level it is about; several when unremarkable levels share a sentence.
        facts: Serialised findings it states.
        composed: The composer's sentences for it; they stand in when nothing usable is written.
    """

    section: str
    levels: tuple[str, ...]
    facts: str
    composed: tuple[DraftSentence, ...]

    @property
    def finding_ids(self) -> tuple[str, ...]:
        """Return the ids of everything the slot states."""
        return tuple(dict.fromkeys(key for item in self.composed for key in item.finding_ids))

    @property
    def target(self) -> str:
        """Return the composer's text of the slot."""
        return " ".join(item.text for item in self.composed)


@dataclass(frozen=True)
class PlannedSection:
    """A section of the report: slots to be written, and sentences that stand as they are."""

    name: str
    parts: tuple[Slot | DraftSentence, ...]


def plan_report(findings: Findings) -> tuple[PlannedSection, ...]:
    """Return the sections of a report, in the composer's order."""
    planners = {FINDINGS: _plan_findings, IMPRESSION: _plan_impression}
    return tuple(
        PlannedSection(section.name, tuple(planners.get(section.name, _keep)(section.sentences, findings)))
        for section in compose_report(findings).sections
    )


def slots_of(plan: Iterable[PlannedSection]) -> list[Slot]:
    """Return all slots of a plan in order."""
    return [part for section in plan for part in section.parts if isinstance(part, Slot)]


def _keep(sentences: tuple[DraftSentence, ...], findings: Findings) -> Iterator[Slot | DraftSentence]:
    yield from sentences


def _plan_findings(sentences: tuple[DraftSentence, ...], findings: Findings) -> Iterator[Slot | DraftSentence]:
    """Neighbouring sentences on the same levels make one slot."""
    for levels, group in groupby(sentences, key=lambda item: _levels_of(item, findings)):
        composed = tuple(group)
        if not levels:
            yield from composed
            continue
        facts = serialise_level(findings, levels[0])
        if len(levels) > 1:
            facts = f"{','.join(levels)} |{facts.split('|', 1)[1]}"
        yield Slot(FINDINGS, levels, facts, composed)


def _plan_impression(sentences: tuple[DraftSentence, ...], findings: Findings) -> Iterator[Slot | DraftSentence]:
    """A line that opens with its one level makes a slot; other lines stand."""
    for sentence in sentences:
        levels = _levels_of(sentence, findings)
        named = tuple(grade for key in sentence.finding_ids if (grade := findings.grade(key)) is not None)
        if len(levels) == 1 and sentence.text.startswith(levels[0]):
            facts = serialise_level(replace(findings, grades=named), levels[0])
            yield Slot(IMPRESSION, levels, facts, (sentence,))
        else:
            yield sentence


def _levels_of(sentence: DraftSentence, findings: Findings) -> tuple[str, ...]:
    """Return the levels of the grades a sentence states, in the order of Findings."""
    keys = set(sentence.finding_ids)
    levels = (grade.level for grade in findings.grades if grade.id in keys)
    return tuple(dict.fromkeys(level for level in levels if level is not None))
