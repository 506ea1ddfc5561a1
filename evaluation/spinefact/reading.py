"""What one report states, and which of its sentences were not read or only in part. Nothing is dropped unseen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from evaluation.spinefact.values import StatedValue
from reporting import split_sentences
from reporting.checker import unaccounted_words
from reporting.parsing import SentenceReading, read_sentences
from reporting.parsing.claims import read_claims
from reporting.parsing.reading import merge_facts
from reporting.types import Fact

_HEADING = re.compile(r"^[\W\d]*(?:[A-Za-z/&]+[ \t]*){0,4}:?[\W]*$")
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class ReadReport:
    """One report as the parser reads it.

    Attributes:
        facts: One per level, side and condition.
        values: Named measured values.
        unread: Sentences that give no fact, no value and nothing that was not assessable.
        partly_read: Sentences that give something, and hold words that nothing which was read accounts for.
    """

    facts: tuple[Fact, ...]
    values: tuple[StatedValue, ...]
    unread: tuple[str, ...]
    partly_read: tuple[str, ...]


@lru_cache(maxsize=8192)
def read_report(text: str) -> ReadReport:
    """Read a report; the same text is read once.

    Facts are those of ``reporting.parse_report``. Headings (up to four words and a colon) are no sentences.
    """
    sentences = split_sentences(text)
    readings = read_sentences(text)
    unread, partly = [], []
    carried: tuple[str, ...] = ()
    for sentence, reading in zip(sentences, readings, strict=True):
        if not _says_something(reading):
            if not _is_heading(sentence):
                unread.append(sentence)
        elif unaccounted_words(reading) and read_claims(sentence, carried) is None:
            partly.append(sentence)
        carried = reading.levels
    facts = merge_facts([fact for reading in readings for fact in reading.facts])
    values = [
        StatedValue(measured, decimals)
        for reading in readings
        for measured, decimals in zip(reading.measured, reading.decimals, strict=True)
    ]
    return ReadReport(tuple(facts), tuple(values), tuple(unread), tuple(partly))


def named_levels(facts: Sequence[Fact]) -> frozenset[str]:
    """Return the levels that facts name."""
    return frozenset(fact.level for fact in facts if fact.level is not None)


def _says_something(reading: SentenceReading) -> bool:
    return bool(reading.facts or reading.measured or reading.not_assessed)


def _is_heading(sentence: str) -> bool:
    is_bare = not _LETTER.search(sentence)
    return is_bare or (sentence.rstrip().endswith(":") and _HEADING.match(sentence) is not None)
