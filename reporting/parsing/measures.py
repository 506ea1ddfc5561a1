"""Numbers with a name and a unit: ``canal AP diameter 9.8 mm``. Read first, then hidden from what reads facts."""

import re
from dataclasses import dataclass
from functools import cache

from reporting.parsing.tables import read_table
from reporting.parsing.tokens import Token, starts_of

MEASURE = "<measure>"

_LINK = r"(?: (?:of|is|was|:|=|measures|measuring|measured|about|approximately|at)){0,3}"
_DEGREES = {"degrees": "deg"}


@dataclass(frozen=True)
class Measure:
    """A value as written.

    Attributes:
        name: Name of the measurement.
        value: The number.
        decimals: Digits after the point, as written: the rounding a comparison has to allow.
        unit: ``mm``, ``cm``, ``%``, ``deg``, or ``1`` when none is written.
        index: Token it stands at, after hiding.
    """

    name: str
    value: float
    decimals: int
    unit: str
    index: int


def hide_measures(tokens: list[Token]) -> tuple[list[Token], list[Measure]]:
    """Replace each named value by one ``<measure>`` token and return the values."""
    text = " ".join(token.text for token in tokens)
    starts = starts_of(tokens)
    kept: list[Token] = []
    measures: list[Measure] = []
    place = 0
    for match in _pattern().finditer(text):
        first, last = starts[match.start()], starts[text.rfind(" ", 0, match.end()) + 1]
        kept += tokens[place:first]
        measures.append(_measure(match, len(kept)))
        kept.append(Token(MEASURE, tokens[first].start, tokens[last].end))
        place = last + 1
    return kept + tokens[place:], measures


def _measure(match: re.Match[str], index: int) -> Measure:
    number = match["number"]
    name = next(key for key, value in match.groupdict().items() if value and key not in {"number", "unit"})
    unit = match["unit"] or "1"
    return Measure(name, float(number), len(number.partition(".")[2]), _DEGREES.get(unit, unit), index)


@cache
def _pattern() -> re.Pattern[str]:
    table = read_table("lexicon.yaml")
    names = "|".join(f"(?P<{name}>{pattern})" for name, pattern in table["measurements"].items())
    units = "|".join(re.escape(unit) for unit in table["units"])
    return re.compile(
        rf"(?<!\S)(?:{names}){_LINK} (?P<number>\d{{1,4}}(?:\.\d{{1,4}})?)(?: (?P<unit>{units}))?(?!\S)"
    )
