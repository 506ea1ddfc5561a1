"""The words that questions may use, read from ``vlm/knowledge/*.yaml``."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import Condition

KNOWLEDGE = Path(__file__).parent.parent / "knowledge"
_TOKEN = re.compile(r"@\d+|[a-z0-9]+(?:['-][a-z0-9]+)*")

SPELLING = {
    "pfirrman": "pfirrmann",
    "pfirmann": "pfirrmann",
    "phirrmann": "pfirrmann",
    "disk": "disc",
    "disks": "discs",
    "left-side": "left",
    "right-side": "right",
    "si-joint": "si joint",
    "si-joints": "si joints",
}
"""Usual misspellings of words that decide what is asked."""


class Kind(StrEnum):
    """What a phrase says about a question."""

    INTENT = "intent"
    CONDITION = "condition"
    QUANTITY = "quantity"
    REFUSAL = "refusal"
    FUNCTION = "function"


@dataclass(frozen=True)
class Sense:
    """One meaning of a phrase: an intent, a condition, a quantity, a refused topic, or no request at all."""

    kind: Kind
    value: str


Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """All known phrases, and the sentences that go with them.

    Attributes:
        senses: Phrase -> its meanings.
        longest: Words in the longest phrase.
        refusals: Refused topic -> the sentence that refuses it.
        quantity_titles: Measurement name -> how an answer names it.
        sentences: ``unknown``, ``empty``, ``too_long``.
    """

    senses: dict[Phrase, tuple[Sense, ...]]
    longest: int
    refusals: dict[str, str]
    quantity_titles: dict[str, str]
    sentences: dict[str, str]


def split_words(text: str) -> list[str]:
    """Return the words of lower-case text; punctuation is dropped, apostrophes and hyphens inside words stay."""
    return _TOKEN.findall(text)


@cache
def load_lexicon() -> Lexicon:
    """Read the three knowledge files."""
    questions, conditions, quantities = (_read(name) for name in ("questions", "conditions", "quantities"))
    senses: dict[Phrase, list[Sense]] = {}

    def add(phrase: str, kind: Kind, value: str) -> None:
        senses.setdefault(tuple(split_words(phrase)), []).append(Sense(kind, value))

    for intent, phrases in questions["intents"].items():
        for phrase in phrases:
            add(phrase, Kind.INTENT, intent)
    for refusal in questions["refusals"]:
        for phrase in refusal["words"]:
            add(phrase, Kind.REFUSAL, refusal["topic"])
    for word in questions["function_words"].split():
        add(word, Kind.FUNCTION, word)
    for phrase, names in conditions["phrases"].items():
        for name in names:
            add(phrase, Kind.CONDITION, Condition(name).value)
    for name, row in quantities["quantities"].items():
        for phrase in row["phrases"]:
            add(phrase, Kind.QUANTITY, name)
    return Lexicon(
        senses={phrase: tuple(found) for phrase, found in senses.items()},
        longest=max(map(len, senses)),
        refusals={row["topic"]: row["answer"] for row in questions["refusals"]},
        quantity_titles={name: row["title"] for name, row in quantities["quantities"].items()},
        sentences={name: questions[name] for name in ("unknown", "empty", "too_long")},
    )


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((KNOWLEDGE / f"{name}.yaml").read_text(encoding="utf-8"))
    return content
