"""Canonical words: the spelling of real notes, by table first, then by edit distance to the words that matter.

Only longer words are corrected by distance (one edit from five letters on, two from nine on with the same first
letter; a swap of neighbours is one edit), and never a word that is itself ordinary (``keep`` of spelling.yaml).
Candidates come from an index of deletions, so a word costs the same however long the vocabulary is.
"""

import re
from functools import cache, lru_cache
from itertools import combinations
from typing import Any

from reporting.parsing.tables import read_table

_ONE_EDIT_LENGTH = 5
_TWO_EDITS_LENGTH = 9
_LONGEST = 20
_WORD = re.compile(r"[a-z]{5,}")


@lru_cache(maxsize=20000)
def canonical(word: str) -> str:
    """Return the canonical form of a lower-case word; the word itself when none is near."""
    table = _table()
    if word in table["words"]:
        return str(table["words"][word])
    if word in _known() or not _ONE_EDIT_LENGTH <= len(word) <= _LONGEST or not word.isalpha():
        return word
    edits = 2 if len(word) >= _TWO_EDITS_LENGTH else 1
    candidates = {name for key in _deletions(word, edits) for name in _index().get(key, ())}
    near = sorted(
        (distance, name) for name in candidates if (distance := _edits(word, name)) <= _allowed(word, name)
    )
    return near[0][1] if near else word


def compound_phrases() -> dict[str, str]:
    """Return phrases of several tokens that stand for others, such as ``end plate`` -> ``endplate``."""
    return {str(key): str(value) for key, value in _table()["phrases"].items()}


def vocabulary() -> frozenset[str]:
    """Return the canonical words that misspellings are drawn to."""
    return _targets()


def _allowed(word: str, target: str) -> int:
    if min(len(word), len(target)) >= _TWO_EDITS_LENGTH and word[0] == target[0]:
        return 2
    return 1


@cache
def _table() -> dict[str, Any]:
    return read_table("spelling.yaml")


@cache
def _targets() -> frozenset[str]:
    """Return every word of five letters or more in the lexicon's plain patterns, tables and level words."""
    lexicon = read_table("lexicon.yaml")
    words: set[str] = set()
    for pattern in _strings(lexicon):
        plain = re.sub(r"\(\?[:!=<]|[()|?\\\[\]]", " ", pattern)
        words.update(_WORD.findall(plain))
    extra = {"herniation", "protrusion", "protrusions", "bulges", "bulging", "stenosis", "narrowing", "thecal"}
    extra |= {"spondylolisthesis", "anterolisthesis", "retrolisthesis", "pfirrmann", "foramina", "foramen"}
    extra |= {"compressions", "level", "levels", "compression", "roots", "nerve", "nerves", "canals"}
    cut = {
        "spondylo",
        "antero",
        "retro",
        "listhesi",
        "neuroforam",
        "prolap",
        "protru",
        "hernia",
        "extru",
        "degenerat",
    }
    return frozenset((words | extra) - cut)


@cache
def _known() -> frozenset[str]:
    return _targets() | frozenset(str(word) for word in _table()["keep"])


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (str(key), *_strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return []


@cache
def _index() -> dict[str, tuple[str, ...]]:
    index: dict[str, list[str]] = {}
    for word in sorted(_targets()):
        for key in _deletions(word, 2 if len(word) >= _TWO_EDITS_LENGTH else 1):
            index.setdefault(key, []).append(word)
    return {key: tuple(words) for key, words in index.items()}


def _deletions(word: str, edits: int) -> set[str]:
    keys = {word}
    for count in range(1, edits + 1):
        for places in combinations(range(len(word)), count):
            keys.add("".join(letter for index, letter in enumerate(word) if index not in places))
    return keys


def _edits(first: str, second: str) -> int:
    """Return the optimal string alignment distance (insert, delete, replace, swap of neighbours)."""
    before: list[int] = []
    above = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        row = [i]
        for j, other in enumerate(second, start=1):
            best = min(row[j - 1] + 1, above[j] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
