"""Steps of numbered scales in text: ``Pfirrmann grade III or IV``, ``Modic type II``, ``grade 1 listhesis``."""

from anatomy import Condition
from reporting.parsing.tokens import Token

ROMAN = ("I", "II", "III", "IV", "V")

_NUMBER = r"(?:iv|v|i{1,3}|[0-5])"
_LETTER = r"(?:[abcd]|a[1-4])"
_SCALE = r"(?:pfirrmann|modic|kang|meyerding|lee|schizas|bartynski)"
_JOIN = r"(?: ?(?:,|/|-|–|to|or|and|, or) )"
STEP_PATTERN = (
    rf"{_SCALE}(?: (?:grades?|types?))?(?: :| of)? {_NUMBER}(?:{_JOIN}{_NUMBER}){{0,4}}(?! (?:mm|%|cm|of \d))"
    rf"|schizas(?: grades?)? (?:{_LETTER}|{_LETTER} [1-4])"
    rf"|(?:grades?|types?) {_NUMBER}(?:{_JOIN}{_NUMBER}){{0,4}}(?! (?:mm|%|cm))"
)
"""Read on canonical words; the scale's word may be left out (``grade I spondylolisthesis``)."""

SCALE_CONDITIONS = {
    "pfirrmann": Condition.DISC_DEGENERATION,
    "modic": Condition.MODIC,
    "kang": Condition.CORD_COMPRESSION,
    "meyerding": Condition.SPONDYLOLISTHESIS,
}
"""Scales whose name alone tells the condition."""

_ARABIC = frozenset({Condition.MODIC, Condition.CORD_COMPRESSION, Condition.NEURAL_FORAMINAL_NARROWING})


def step_scale(tokens: list[Token]) -> str:
    """Return the scale's word of a step item, or an empty string when it is not written."""
    first = tokens[0].text
    return "" if first in {"grade", "grades", "type", "types"} else first


def step_numbers(tokens: list[Token]) -> tuple[int | str, ...]:
    """Return the numbers of a step item in order; ``to`` and dashes between two fill the range."""
    numbers: list[int | str] = []
    is_range = False
    for token in tokens:
        value = _value(token.text)
        if value is None:
            is_range = token.text in {"to", "-", "–"} and bool(numbers)
            continue
        last = numbers[-1] if numbers else None
        if is_range and isinstance(last, int) and isinstance(value, int):
            numbers += range(last + 1, value)
        numbers.append(value)
        is_range = False
    return tuple(dict.fromkeys(numbers))


def grade_text(numbers: tuple[int | str, ...], condition: Condition) -> str:
    """Return steps as facts write them: Roman for Pfirrmann and Meyerding, else Arabic; ``|`` between."""
    if condition in _ARABIC or any(isinstance(number, str) for number in numbers):
        return "|".join(str(number).upper() for number in sorted(numbers, key=str))
    if any(number == 0 for number in numbers):
        return "|".join(str(number) for number in sorted(numbers, key=str))
    return "|".join(ROMAN[int(number) - 1] for number in sorted(int(number) for number in numbers))


def _value(text: str) -> int | str | None:
    if text.upper() in ROMAN:
        return ROMAN.index(text.upper()) + 1
    if text.isdigit():
        return int(text)
    return text if len(text) == 1 and text in "abcd" else None
