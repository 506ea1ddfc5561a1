"""What one report states, and which of its sentences were not read or only in part. Nothing is dropped unseen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from evaluation.spinefact.values import StatedValue
from reporting import split_sentences
from reporting.checker import unaccounted_words
from reporting.parsing import SentenceReading, read_sentences
from reporting.parsing.claims import Claim, ClaimReading, read_claims
from reporting.parsing.reading import merge_facts
from reporting.types import Fact

_HEADING = re.compile(r"^[\W\d]*(?:[A-Za-z/&]+[ \t]*){0,4}:?[\W]*$")
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Statements:
    """What a report states.

    Attributes:
        facts: One per level, side and condition.
        normal_levels: Levels that are called unremarkable as a whole.
    """

    facts: Sequence[Fact]
    normal_levels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ReadReport:
    """One report as the parser reads it.

    Attributes:
        facts: One per level, side and condition.
        normal_levels: Levels that are called unremarkable as a whole.
        values: Named measured values.
        unread: Sentences that give none of these, and nothing that was not assessable.
        partly_read: Sentences that give something, and hold words that nothing which was read accounts for.
    """

    facts: tuple[Fact, ...]
    normal_levels: frozenset[str]
    values: tuple[StatedValue, ...]
    unread: tuple[str, ...]
    partly_read: tuple[str, ...]

    @property
    def stated(self) -> Statements:
        """Return what is compared."""
        return Statements(self.facts, self.normal_levels)


@lru_cache(maxsize=8192)
def read_report(text: str) -> ReadReport:
    """Read a report; the same text is read once.

    Facts are those of ``reporting.parse_report``. Headings (up to four words and a colon) are no sentences.
    """
    sentences = split_sentences(text)
    readings = read_sentences(text)
    unread: list[str] = []
    partly: list[str] = []
    values: list[StatedValue] = []
    normal: set[str] = set()
    carried: tuple[str, ...] = ()
    for sentence, reading in zip(sentences, readings, strict=True):
        claimed = read_claims(sentence, carried)
        carried = reading.levels
        values += _values(reading, claimed)
        if claimed is not None:
            normal |= {level for claim in claimed.claims if _is_normal(claim) for level in claim.levels}
        elif not _says_something(reading):
            unread.append(sentence)
        elif unaccounted_words(reading):
            partly.append(sentence)
    facts = merge_facts([fact for reading in readings for fact in reading.facts])
    return ReadReport(
        facts=tuple(facts),
        normal_levels=frozenset(normal),
        values=tuple(values),
        unread=tuple(sentence for sentence in unread if not _is_heading(sentence)),
        partly_read=tuple(partly),
    )


def named_levels(facts: Sequence[Fact]) -> frozenset[str]:
    """Return the levels that facts name."""
    return frozenset(fact.level for fact in facts if fact.level is not None)


def _values(reading: SentenceReading, claimed: ClaimReading | None) -> list[StatedValue]:
    """Return the values of a sentence, by the clause grammar where it reads the whole of it."""
    if claimed is None:
        pairs = zip(reading.measured, reading.decimals, strict=True)
        return [StatedValue(item.name, item.level, item.value, item.unit, decimals) for item, decimals in pairs]
    return [
        StatedValue(
            item.name, item.levels[0] if len(item.levels) == 1 else None, item.value, item.unit, item.decimals
        )
        for item in claimed.values
    ]


def _is_normal(claim: Claim) -> bool:
    return claim.condition is None and claim.negated and not claim.uncertain and not claim.scope


def _says_something(reading: SentenceReading) -> bool:
    return bool(reading.facts or reading.measured or reading.not_assessed)


def _is_heading(sentence: str) -> bool:
    is_bare = not _LETTER.search(sentence)
    return is_bare or (sentence.rstrip().endswith(":") and _HEADING.match(sentence) is not None)
