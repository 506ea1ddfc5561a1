"""Reading report text to facts by LANGUAGE.md: sentences, tokens, mentions, levels, scopes. Linear in the text."""

import re
from dataclasses import replace

from reporting.parsing.claims import Claim, facts_of, read_claims
from reporting.parsing.reading import SentenceReading, merge_facts, merge_report, read_sentence
from reporting.parsing.tokens import split_sentences
from reporting.types import Fact, MeasuredFact

__all__ = [
    "SentenceReading",
    "parse_measurements",
    "parse_report",
    "read_sentence",
    "read_sentences",
    "split_sentences",
]

_HEADING = re.compile(
    r"^[#*\-\s.]*(?:(?:technique|findings|impression|conclusion|opinion|summary)\s*:?|nb\s*:?.{0,80}|.{0,40}\bmri\b.{0,40})$",
    re.IGNORECASE,
)


def parse_report(text: str) -> list[Fact]:
    """Return the facts of a report: one per level, side and condition; two where its sentences deny each other.

    Several steps of one scale are one grade with ``|`` between them, best first: ``III|IV``, ``moderate|severe``.
    Levels are carried from sentence to sentence until a new one is named, a heading comes, or a sentence speaks of
    unnamed levels. What a text calls not assessable is no fact.

    Args:
        text: Any text; one without facts gives an empty list.
    """
    return merge_report([fact for reading in read_sentences(text) for fact in reading.facts])


def parse_measurements(text: str) -> list[MeasuredFact]:
    """Return the named values of a report, such as ``canal AP diameter 9.8 mm``."""
    return [item for reading in read_sentences(text) for item in reading.measured]


def _claimed(sentence: str, carried: tuple[str, ...]) -> SentenceReading:
    """Read a sentence by the clause grammar where it reads all of it, else by the wider reading."""
    reading = read_sentence(sentence, carried)
    claimed = read_claims(sentence, carried)
    if claimed is None or any(_is_of_study(claim) for claim in claimed.claims):
        return reading
    facts = [(claim.unassessed, fact) for claim in claimed.claims for fact in facts_of(claim, sentence)]
    return replace(
        reading,
        facts=tuple(merge_facts([fact for is_open, fact in facts if not is_open])),
        not_assessed=tuple(merge_facts([fact for is_open, fact in facts if is_open])),
    )


def _is_of_study(claim: Claim) -> bool:
    """Tell whether only a study's findings say which levels or conditions are meant."""
    return claim.scope not in {"", "all"} or claim.condition is None


def read_sentences(text: str) -> list[SentenceReading]:
    """Read all sentences of a text, carrying levels from one to the next."""
    readings: list[SentenceReading] = []
    carried: tuple[str, ...] = ()
    for sentence in split_sentences(text):
        if _HEADING.match(sentence):
            carried = ()
        reading = _claimed(sentence, carried)
        carried = reading.levels
        readings.append(reading)
    return readings
