"""Two texts word by word: what stayed, what went, what came."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_WORDS = re.compile(r"\s+|[^\s]+")


class WordOp(StrEnum):
    """What became of some words."""

    EQUAL = "equal"
    DELETE = "delete"
    INSERT = "insert"


@dataclass(frozen=True)
class WordChange:
    """Words that share a fate."""

    op: WordOp
    text: str


def compare_words(before: Sequence[str], after: Sequence[str]) -> tuple[WordChange, ...]:
    """Return what differs between two lists of sentences.

    Sentences are matched first and only those that differ are compared word by word, so that a long report costs
    little. The texts of ``equal`` and ``delete`` make up the first list, those of ``equal`` and ``insert`` the
    second, sentences ending in a line break.
    """
    first, second = _lines(before), _lines(after)
    changes: list[WordChange] = []
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        old, new = "".join(first[a0:a1]), "".join(second[b0:b1])
        changes += [WordChange(WordOp.EQUAL, old)] if tag == "equal" else _words(old, new)
    return tuple(_joined(change for change in changes if change.text))


def _words(old: str, new: str) -> list[WordChange]:
    first, second = _WORDS.findall(old), _WORDS.findall(new)
    changes = []
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, first, second).get_opcodes():
        if tag == "equal":
            changes.append(WordChange(WordOp.EQUAL, "".join(first[a0:a1])))
        else:
            changes.append(WordChange(WordOp.DELETE, "".join(first[a0:a1])))
            changes.append(WordChange(WordOp.INSERT, "".join(second[b0:b1])))
    return changes


def _lines(sentences: Iterable[str]) -> list[str]:
    return [f"{text}\n" for text in sentences]


def _joined(changes: Iterable[WordChange]) -> list[WordChange]:
    """Put neighbours of one fate together."""
    joined: list[WordChange] = []
    for change in changes:
        if joined and joined[-1].op is change.op:
            joined[-1] = WordChange(change.op, joined[-1].text + change.text)
        else:
            joined.append(change)
    return joined
