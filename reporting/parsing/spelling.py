"""Canonical words: the spelling of real notes, by table first, then by edit distance to the words that matter.

Only longer words are corrected by distance, and only towards a list of medical words with the same first letter
(``targets``): one edit from six letters on, two from nine on; a swap of neighbours is one edit. A word of the
lexicon or an ordinary word near a target (``keep``) is never corrected. Candidates come from an index of
deletions, so a word costs the same however long the list is.
"""

import re
from functools import cache, lru_cache
from itertools import combinations
from typing import Any

from reporting.parsing.tables import read_table

_ONE_EDIT_LENGTH = 6
_TWO_EDITS_LENGTH = 9
_LONGEST = 20
_WORD = re.compile(r"[a-z]{3,}")


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


def _allowed(word: str, target: str) -> int:
    if word[0] != target[0]:
        return 0
    return 2 if min(len(word), len(target)) >= _TWO_EDITS_LENGTH else 1


@cache
def _table() -> dict[str, Any]:
    return read_table("spelling.yaml")


@cache
def _targets() -> frozenset[str]:
    return frozenset(str(word) for word in _table()["targets"])


@cache
def _known() -> frozenset[str]:
    """Return the words that are never corrected: ordinary ones, targets, and all words of the lexicon."""
    words = {str(word) for word in _table()["keep"]} | _targets()
    for pattern in _strings(read_table("lexicon.yaml")):
        words.update(_WORD.findall(re.sub(r"\(\?[:!=<]|[()|?\\\[\]]", " ", pattern)))
    return frozenset(words)


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
