"""What an answer may repeat of a reading's free text: the file is data, and may come from anywhere.

A reason, doubt or method is repeated only when every word of it is one of ``vlm/knowledge/reasons.yaml``, a
level or a number, it is short, and the report parser reads no finding out of it. Everything else is named, not
quoted.
"""

from __future__ import annotations

import re
from functools import cache

import yaml

from anatomy import parse_level
from reporting import parse_report
from vlm.chat.lexicon import KNOWLEDGE

_MAX_CHARACTERS = 160
_WORD = re.compile(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", re.IGNORECASE)
_SHAPE = re.compile(r"[\w\s.,;:()/%+'–-]*")
_PLACE = re.compile(r"[ctls]\d{1,2}", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z_0-9]{0,39}/[0-9]{1,4}")
_SERIES = re.compile(r"S[0-9]{1,4}")


def safe_text(text: str) -> str:
    """Return a reason, doubt or method, or that its words are not repeated."""
    return text if is_plain(text) else _table()[1]


@cache
def is_plain(text: str) -> bool:
    """Return whether a text says nothing but what this program says of images."""
    words = _WORD.findall(text.lower())
    if any(pattern.fullmatch(text) for pattern in _table()[2]):
        return True
    return (
        len(words) > 0
        and len(text) <= _MAX_CHARACTERS
        and (text.isascii() or "–" in text)
        and _SHAPE.fullmatch(text) is not None
        and all(_is_known(word) for word in words)
        and not parse_report(text)
    )


def safe_rule(text: str) -> str | None:
    """Return a rule such as ``canal_ap_verbiest/1`` as the reading says it; None for anything else."""
    return text.removeprefix("rule ") if _NAME.match(text.removeprefix("rule ")) and is_plain(text) else None


def safe_series(text: str) -> str:
    """Return a series id as this program gives them, else a plain word."""
    return text if _SERIES.fullmatch(text) else "of another name"


def _is_known(word: str) -> bool:
    return word in _table()[0] or word.isdigit() or _PLACE.fullmatch(word) is not None or bool(parse_level(word))


@cache
def _table() -> tuple[frozenset[str], str, tuple[re.Pattern[str], ...]]:
    table = yaml.safe_load((KNOWLEDGE / "reasons.yaml").read_text(encoding="utf-8"))
    patterns = tuple(re.compile(pattern) for pattern in table["patterns"])
    return frozenset(table["words"].split()), str(table["unsaid"]), patterns
