"""The lexicon compiled: one pass over a sentence's canonical words gives heads, objects, actions and steps."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from anatomy import Condition
from reporting.parsing.steps import STEP_PATTERN
from reporting.parsing.tables import read_table
from reporting.parsing.tokens import Token, starts_of


@dataclass(frozen=True)
class ObjectEntry:
    """A structure that something can be done to.

    Attributes:
        name: Such as ``foramen``.
        condition: What it means when one of ``kinds`` is said of it; None for unnamed endplates.
        kinds: Kinds of action that count.
    """

    name: str
    condition: Condition | None
    kinds: frozenset[str]


@dataclass(frozen=True)
class Item:
    """A stretch of tokens with a meaning.

    Attributes:
        tag: ``head``, ``object``, ``action`` or ``step``.
        name: Condition, object name, kind of action, or scale word.
        form: ``active``, ``noun`` or ``state`` for actions; empty otherwise.
        start: First token.
        stop: One past the last token.
    """

    tag: str
    name: str
    form: str
    start: int
    stop: int


def find_items(tokens: list[Token]) -> list[Item]:
    """Return the items of a sentence, left to right, not overlapping."""
    starts, text = _joined(tokens)
    items = []
    for match in _pattern().finditer(text):
        tag, name, form = _groups()[match.lastgroup or ""]
        first = starts[match.start()]
        last = starts[text.rfind(" ", 0, match.end()) + 1] if " " in match[0] else first
        items.append(Item(tag, name, form, first, last + 1))
    return items


def find_phrases(tokens: list[Token], key: str) -> list[tuple[int, int]]:
    """Return (start, stop) token spans of the patterns of a list in the lexicon."""
    starts, text = _joined(tokens)
    spans = []
    for match in _phrase_pattern(key).finditer(text):
        first = starts[match.start()]
        last = max(index for place, index in starts.items() if place < match.end())
        spans.append((first, last + 1))
    return spans


@cache
def objects() -> dict[str, ObjectEntry]:
    """Return all objects by name."""
    return {
        name: ObjectEntry(name, _condition(row["condition"]), frozenset(row["kinds"]))
        for name, row in read_table("lexicon.yaml")["objects"].items()
    }


@cache
def words(key: str) -> frozenset[str]:
    """Return a word list of the lexicon as a set."""
    return frozenset(str(word) for word in _lexicon()[key])


@cache
def word_values(key: str) -> dict[str, str]:
    """Return a word table of the lexicon."""
    return {str(word): str(value) for word, value in _lexicon()[key].items()}


def _lexicon() -> dict[str, Any]:
    return read_table("lexicon.yaml")


def _condition(name: str) -> Condition | None:
    return None if name == "endplates" else Condition(name)


def _joined(tokens: list[Token]) -> tuple[dict[int, int], str]:
    """Return the words with one space between them, and the token at each starting place."""
    return starts_of(tokens), " ".join(token.text for token in tokens)


@cache
def _entries() -> tuple[tuple[str, str, str, str], ...]:
    lexicon = _lexicon()
    entries = [("step", "", "", STEP_PATTERN)]
    entries += [("head", name, "", pattern) for name, pattern in lexicon["heads"].items()]
    entries += [("object", name, "", row["pattern"]) for name, row in lexicon["objects"].items()]
    for kind, forms in lexicon["actions"].items():
        entries += [("action", kind, form, pattern) for form, pattern in forms.items()]
    return tuple(entries)


@cache
def _groups() -> dict[str, tuple[str, str, str]]:
    return {f"g{index}": (tag, name, form) for index, (tag, name, form, _) in enumerate(_entries())}


@cache
def _pattern() -> re.Pattern[str]:
    parts = [f"(?P<g{index}>(?:{pattern})(?!\\S))" for index, (_, _, _, pattern) in enumerate(_entries())]
    return re.compile(r"(?<!\S)(?:" + "|".join(parts) + ")")


@cache
def _phrase_pattern(key: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\S)(?:" + "|".join(_lexicon()[key]) + r")(?!\S)")
