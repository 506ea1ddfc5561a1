"""A sentence as lexemes of the clause grammar (``clauses.yaml``): every word has a role, or none is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from anatomy import Side
from reporting.parsing.steps import step_numbers
from reporting.parsing.tables import read_table
from reporting.parsing.tokens import Token, expand, starts_of, tokenise

_RANGE_WORDS = frozenset({"to", "through", "thru", "-", "–", "down"})
_GRADES = {
    "mildly": "mild", "moderately": "moderate", "severely": "severe", "mild": "mild", "moderate": "moderate",
    "severe": "severe", "early": "early", "advanced": "advanced", "normal_mild": "normal_mild", "normal": "normal",
}  # fmt: skip
_ORDER = ("normal", "normal_mild", "mild", "early", "moderate", "severe", "advanced")
_DIRECTIONS = {
    "anterolisthesis": frozenset({"anteriorly", "forward", "forwards", "anterolisthesis"}),
    "retrolisthesis": frozenset({"posteriorly", "backward", "backwards", "retrolisthesis"}),
}
_MAY = frozenset({"may", "might", "could"})
_LONGEST = 120


@dataclass(frozen=True)
class Lexeme:
    """A stretch of words with one role.

    Attributes:
        kind: Such as ``grade``, ``object``, ``break``; a key of ``clauses.yaml``.
        value: The value of the key, or what was read: ``moderate|severe``, ``8.6 mm``.
        levels: Disc levels of the kind ``levels``.
        numbers: Steps of the kind ``steps``.
    """

    kind: str
    value: str = ""
    levels: tuple[str, ...] = ()
    numbers: tuple[int | str, ...] = ()

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return the sides of the kind ``side``."""
        return (Side.LEFT, Side.RIGHT) if self.value == "both" else (Side(self.value),)


def read_lexemes(sentence: str) -> list[Lexeme] | None:
    """Return the lexemes of a sentence, or None when a word has no role or the sentence is very long."""
    tokens = tokenise(sentence)
    if len(tokens) > _LONGEST:
        return None
    text = " ".join(token.text for token in tokens)
    starts = starts_of(tokens)
    lexemes: list[Lexeme] = []
    place = 0
    while place < len(text):
        match = _pattern().match(text, place)
        if match is None:
            return None
        first = starts[place]
        last = first + match[0].count(" ") + 1
        found = _lexemes(match, tokens[first:last])
        if any(item.kind == "levels" and not item.levels for item in found) or _is_negative(lexemes, found):
            return None
        lexemes += found
        place = match.end() + 1
    return lexemes


def _is_negative(before: Sequence[Lexeme], found: Sequence[Lexeme]) -> bool:
    """Tell whether a dash makes a value negative: no length is."""
    return found[0].kind == "number" and bool(before) and before[-1].value == "dash"


def _lexemes(match: re.Match[str], tokens: Sequence[Token]) -> list[Lexeme]:
    kind, value = _groups()[match.lastgroup or ""]
    if kind == "levels":
        return [Lexeme(kind, levels=_levels(tokens))]
    if kind == "grade":
        return [Lexeme(kind, value or "|".join(_grades(tokens)))]
    if kind == "steps":
        return [Lexeme(kind, numbers=step_numbers(list(tokens)))]
    if kind == "number":
        return [Lexeme(kind, match[0].replace("- ", ""))]
    if kind == "slip":
        return _slip(match[0])
    if kind == "sequence":
        return [_one_of(item, tokens) for item in value.split(", ")]
    return [Lexeme(kind, value)]


def _one_of(item: str, tokens: Sequence[Token]) -> Lexeme:
    """Return a lexeme of a sequence, such as ``action narrow``; a grade is read from the words."""
    kind, _, value = item.partition(" ")
    return Lexeme(kind, value or ("|".join(_grades(tokens)) if kind == "grade" else ""))


def _levels(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the levels of a list, ranges filled in either direction; none when a range has no such ends."""
    levels: list[str] = []
    is_range = False
    for token in tokens:
        if token.levels:
            if is_range and levels:
                between = expand(levels[-1], token.levels[-1]) or expand(token.levels[-1], levels[-1])
                if not between:
                    return ()
                levels += between
            else:
                levels += token.levels
            is_range = False
        else:
            is_range = is_range or token.text in _RANGE_WORDS
    return tuple(dict.fromkeys(levels))


def _grades(tokens: Sequence[Token]) -> list[str]:
    """Return the grades from best to worst; ``mild to severe`` holds what lies between."""
    found = [_GRADES[token.text] for token in tokens if token.text in _GRADES]
    if {"mild", "severe"} <= set(found):
        found.append("moderate")
    return sorted(set(found), key=_ORDER.index)


def _slip(text: str) -> list[Lexeme]:
    """Return the slip of one vertebra on the next, with its direction, doubt and length where they are written."""
    words = text.split()
    name = f"{words[0]}{words[1]}-{words[-2]}{words[-1]}"
    levels = tuple(level for token in tokenise(name) for level in token.levels)
    head = next((head for head, said in _DIRECTIONS.items() if said & set(words)), "spondylolisthesis")
    found = [Lexeme("head", head), Lexeme("levels", levels=levels)]
    if _MAY & set(words):
        found.insert(0, Lexeme("hedge"))
    if "mm" in words:
        found.append(Lexeme("number", f"{words[words.index('mm') - 1]} mm"))
    return found


@cache
def _entries() -> tuple[tuple[str, str, str], ...]:
    table = read_table("clauses.yaml")["lexemes"]
    return tuple((kind, str(value), pattern) for kind, row in table.items() for value, pattern in row.items())


@cache
def _groups() -> dict[str, tuple[str, str]]:
    return {f"g{index}": (kind, value) for index, (kind, value, _) in enumerate(_entries())}


@cache
def _pattern() -> re.Pattern[str]:
    parts = [f"(?P<g{index}>(?:{pattern})(?!\\S))" for index, (_, _, pattern) in enumerate(_entries())]
    return re.compile("|".join(parts))
