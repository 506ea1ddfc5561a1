"""The last step before an answer is given: every part that states findings passes the report verifier.

A part that does not is replaced by the composer's sentences for the findings it was meant to state; should they
not hold either, it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from reporting import Checker, SentenceContext
from reporting.grammar import compose_statements
from reporting.statements import Polarity, state
from reporting.types import VerdictStatus
from vlm.chat.facts import Facts
from vlm.chat.types import Answer, Part, PartKind, Topic


def give_answer(parts: Iterable[Part], facts: Facts, topic: Topic) -> Answer:
    """Return the answer of some parts, each finding in it checked."""
    checker = Checker(facts.findings)
    kept = [part for item in parts for part in _checked(item, checker)]
    sources = dict.fromkeys(part.source for part in kept if part.source is not None)
    return Answer(
        text=" ".join(_said(part, index, kept) for index, part in enumerate(kept) if part.text),
        finding_ids=tuple(dict.fromkeys(name for part in kept for name in part.ids)),
        sources=tuple(sources),
        passages=tuple(part.text for part in kept if part.kind is PartKind.KNOWLEDGE),
        topic=topic,
    )


def _said(part: Part, index: int, parts: list[Part]) -> str:
    """Return a part's text, with its source behind the last part that has it."""
    is_last = part.source is not None and all(later.source != part.source for later in parts[index + 1 :])
    return f"{part.text} Source: {part.source}." if is_last else part.text


def _checked(part: Part, checker: Checker) -> list[Part]:
    if part.kind is not PartKind.FINDING or not part.text or _holds(part, checker):
        return [part]
    return [item for item in _composed(part, checker) if _holds(item, checker)]


def _holds(part: Part, checker: Checker) -> bool:
    return checker.check(part.text, SentenceContext()).status is VerdictStatus.SUPPORTED


def _composed(part: Part, checker: Checker) -> list[Part]:
    """Return the composer's words for the grades of a part, one part a level."""
    found = [grade for grade in checker.findings.grades if grade.id in part.ids]
    stated = [
        item for grade in found if (item := state(grade, checker.findings)).polarity is not Polarity.NOT_ASSESSABLE
    ]
    parts = []
    for level in dict.fromkeys(item.grade.level for item in stated):
        mine = [item for item in stated if item.grade.level == level]
        text = " ".join(sentence.text for sentence in compose_statements(mine, level))
        parts.append(Part(text, tuple(item.grade.id for item in mine), PartKind.FINDING))
    return parts
