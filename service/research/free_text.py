"""Whether a sentence of a report may leave the service without identity: it says so only of what it knows.

Rules for what must go miss names; so, as in ``imaging.dicom.deidentify``, the rule is what may stay. A sentence
stays if every word is in ``words.txt``, every number belongs to a level, a grade or a measurement, and no capital
letter stands within it but of the words listed here. Anything else (a name, a date, an age, a record number, a
clinic) makes the whole sentence go. A surname that is such a word (``Long``) at the start of a sentence is no more
than that word.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from pathlib import Path

MAX_CHARACTERS = 1000
"""Longer sentences go; own choice, several times the longest of ours."""


class Suspicion(StrEnum):
    """Why a sentence was dropped."""

    WORD = "unknown_word"
    NUMBER = "number"
    CAPITAL = "capital_letter"
    SIGN = "sign"
    LENGTH = "length"


_VERTEBRA = r"(?:C[1-8]|T(?:1[0-3]|[1-9])|L[1-6]|S[1-5])"
_LEVEL = rf"\b{_VERTEBRA}(?:\s?[-/–]\s?(?:{_VERTEBRA}|[1-6]))*\b"
_STEP = r"(?:[0-5]|IV|V|I{1,3})"
_STEPS = rf"{_STEP}(?:\s*(?:,\s*(?:or|and)?|or|and|to|-|–|/)\s*{_STEP})*"
_SCALE = r"(?:[Mm]odic|[Kk]ang|[Mm]eyerding|[Pp]firrmann)"
_GRADE = rf"\b(?:{_SCALE}\s)?(?:[Gg]rades?|[Tt]ypes?|[Ss]tages?|[Ss]teps?|{_SCALE})\s{_STEPS}(?![\d.\w])"
_VALUE = r"\d{1,3}(?:\.\d{1,2})?"
_AND = r"(?:x|×|to|and|or|by|-|–)"
_UNIT = r"(?:mm2|mm²|mm|cm|ml|%|per\scent|°|degrees)"
_ALLOWED = re.compile(
    "|".join(
        [
            _LEVEL,
            _GRADE,
            rf"(?<![\d.,:/-]){_VALUE}(?:\s?(?:{_UNIT})?\s?{_AND}\s?{_VALUE}){{0,2}}\s?{_UNIT}(?!\w)",
            rf"\bscore\s{_VALUE}\sof\s100\b",
            rf"\binterval\s{_VALUE}\sto\s{_VALUE}(?![\w.])",
            r"\b(?:T[12](?:-weighted)?|MRI|STIR|CSF|AP|Pfirrmann|Modic|SIJ|Rt|Lt)\b",
            r"\bSchmorl(?:'s|s)?\snodes?\b|\bTarlov(?:'s)?\scysts?\b",
        ]
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][a-z]+)?")
_PLACE = "§"  # stands where a level, grade or value stood
_START = re.compile(rf"(?:^|[.?:{_PLACE}])[\s\"(]*$")
_SIGNS = re.compile(r"[\s§.,;:()\[\]/'’\"+?–-]")


def suspicion_of(sentence: str) -> Suspicion | None:
    """Return why a sentence may not leave, or None when it may."""
    if len(sentence) > MAX_CHARACTERS:
        return Suspicion.LENGTH
    if _PLACE in sentence:
        return Suspicion.SIGN
    rest = _ALLOWED.sub(f" {_PLACE} ", sentence)
    if re.search(r"\d", rest):
        return Suspicion.NUMBER
    words = _WORD.findall(rest)
    if any(word.replace("’", "'").lower() not in _known() for word in words):
        return Suspicion.WORD
    if _has_capital_within(rest):
        return Suspicion.CAPITAL
    return Suspicion.SIGN if _SIGNS.sub("", _WORD.sub("", rest)) else None


def _has_capital_within(text: str) -> bool:
    """Tell whether a capital stands elsewhere than at the start, after a full stop, a colon or a level."""
    return any(
        re.search(r"[A-Z]", match.group()[1:]) is not None
        or (match.group()[0].isupper() and _START.search(text[: match.start()]) is None)
        for match in _WORD.finditer(text)
    )


@cache
def _known() -> frozenset[str]:
    lines = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
