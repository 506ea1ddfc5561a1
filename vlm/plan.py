"""What is written where: the composer's report taken apart into slots that the language model writes.

The composer decides content (which levels share a sentence, which findings lead the impression and in what
order); the language model phrases each slot. A slot knows its facts, so every sentence of it has known evidence.
Technique, limits, numbering doubts and the burden line stay the composer's: they hold nothing to phrase.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from anatomy import Condition
from grading.types import Findings, Grade
from reporting import compose_report, serialise_level
from reporting.types import DraftSentence

FINDINGS, IMPRESSION = "findings", "impression"
PHRASED = {
    "lumbar": frozenset(
        {
            Condition.DISC_DEGENERATION,
            Condition.DISC_NARROWING,
            Condition.DISC_BULGING,
            Condition.DISC_HERNIATION,
            Condition.SPINAL_CANAL_STENOSIS,
            Condition.SPONDYLOLISTHESIS,
            Condition.MODIC,
            Condition.UPPER_ENDPLATE_CHANGE,
            Condition.LOWER_ENDPLATE_CHANGE,
        }
    )
}
"""Protocol -> conditions that the language model phrases; the others stand in the composer's words, and so does a
protocol that is not here. A writer trained on every condition of all three protocols was not as faithful
(docs/lab-log.md, 2026-11-22): it mixed up sides and their steps."""


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
    planners = {FINDINGS: _plan_all_findings, IMPRESSION: _plan_impression}
    return tuple(
        PlannedSection(section.name, tuple(planners.get(section.name, _keep)(section.sentences, findings)))
        for section in compose_report(findings).sections
    )


def slots_of(plan: Iterable[PlannedSection]) -> list[Slot]:
    """Return all slots of a plan in order."""
    return [part for section in plan for part in section.parts if isinstance(part, Slot)]


def _keep(sentences: tuple[DraftSentence, ...], findings: Findings) -> Iterator[Slot | DraftSentence]:
    yield from sentences


def _plan_all_findings(sentences: tuple[DraftSentence, ...], findings: Findings) -> Iterator[Slot | DraftSentence]:
    """Slots of what the model phrases, each followed by the composer's sentences on the rest of its levels."""
    phrased, rest = _only(findings, phrased=True), _only(findings, phrased=False)
    if not _is_graded(phrased):
        return _keep(sentences, findings)
    if not _is_graded(rest):
        return _plan_findings(_findings_of(phrased), phrased)
    return _side_by_side([*_plan_findings(_findings_of(phrased), phrased)], _findings_of(rest), findings)


def _side_by_side(
    parts: list[Slot | DraftSentence], further: tuple[DraftSentence, ...], findings: Findings
) -> Iterator[Slot | DraftSentence]:
    """Put further sentences behind the last part that begins at the same level or above."""
    order = [level.name for level in findings.levels]

    def place(levels: tuple[str, ...]) -> int:
        return order.index(levels[0]) if levels and levels[0] in order else -1

    waiting = sorted(further, key=lambda item: place(_levels_of(item, findings)))
    places = [place(part.levels if isinstance(part, Slot) else _levels_of(part, findings)) for part in parts]
    for index, part in enumerate(parts):
        yield part
        following = places[index + 1 :]
        while waiting and (not following or place(_levels_of(waiting[0], findings)) < min(following)):
            yield waiting.pop(0)


def _only(findings: Findings, *, phrased: bool) -> Findings:
    kept = tuple(item for item in findings.grades if _is_phrased(item, findings) is phrased)
    return replace(findings, grades=kept)


def _is_phrased(grade: Grade, findings: Findings) -> bool:
    return grade.condition in PHRASED.get(findings.protocol, frozenset())


def _is_graded(findings: Findings) -> bool:
    return any(item.grade is not None for item in findings.reported)


def _findings_of(findings: Findings) -> tuple[DraftSentence, ...]:
    return next(item.sentences for item in compose_report(findings).sections if item.name == FINDINGS)


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
    """A line that opens with its one level makes a slot if the model phrases all of it; other lines stand."""
    for sentence in sentences:
        levels = _levels_of(sentence, findings)
        named = tuple(grade for key in sentence.finding_ids if (grade := findings.grade(key)) is not None)
        is_phrased = all(_is_phrased(grade, findings) for grade in named)
        if len(levels) == 1 and sentence.text.startswith(levels[0]) and is_phrased:
            facts = serialise_level(replace(findings, grades=named), levels[0])
            yield Slot(IMPRESSION, levels, facts, (sentence,))
        else:
            yield sentence


def _levels_of(sentence: DraftSentence, findings: Findings) -> tuple[str, ...]:
    """Return the levels of the grades a sentence states, in the order of Findings."""
    keys = set(sentence.finding_ids)
    levels = (grade.level for grade in findings.grades if grade.id in keys)
    return tuple(dict.fromkeys(level for level in levels if level is not None))
