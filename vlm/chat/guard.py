"""What is refused before a question is understood: orders, personas, dictation, tampering, disguise.

The patterns are data (``vlm/knowledge/guard.yaml``). Before they are tried, the usual disguises are undone:
letters of other widths, invisible characters, digits in the place of letters, letters with spaces between, text
written backwards, shifted by thirteen or in base 64. What is still no known word is refused later, with all
words that mean nothing here.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import yaml

from vlm.chat.lexicon import KNOWLEDGE

_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_LEET_WORD = re.compile(r"\b(?=\w*[a-z])(?=\w*[013457@$!])[\w@$!]{4,}\b")
_PLACE = re.compile(r"[ctdls]\d{1,2}(?:[-/]?[ctdls]?\d{1,2})?")
_SPACED = re.compile(r"(?<![\w])(?:\w[\s._-]+){4,}\w(?![\w])")
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z0-9+/=])")


@dataclass(frozen=True)
class Refused:
    """Why a question is not even read.

    Attributes:
        topic: Such as ``instructions``.
        answer: The sentence that says so.
    """

    topic: str
    answer: str


@dataclass(frozen=True)
class _Family:
    refused: Refused
    pattern: re.Pattern[str]


def find_refusal(text: str) -> Refused | None:
    """Return why a question must be refused whatever else it says; None where nothing speaks against it.

    Args:
        text: As typed.
    """
    families, encoded = _load()
    for plain in _readings(text):
        for family in families:
            if family.pattern.search(plain):
                return family.refused
    if any(_hides(text, words) for words in encoded):
        return families[0].refused
    return None


def _readings(text: str) -> list[str]:
    """Return the text in lower case, and again with disguises undone."""
    clean = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    plain = re.sub(r"[’'`´]", " ", " ".join(clean.lower().split()))
    unspaced = _SPACED.sub(lambda match: re.sub(r"[\s._-]", "", match[0]), plain)
    unleet = _LEET_WORD.sub(_unleet, plain)
    return list(dict.fromkeys((plain, re.sub(r"[^\w/:<>|?]+", " ", plain), unspaced, unleet)))


def _unleet(match: re.Match[str]) -> str:
    return match[0] if _PLACE.fullmatch(match[0]) else match[0].translate(_LEET)


def _hides(text: str, word: str) -> bool:
    """Return whether a word is there backwards, shifted by thirteen, without its spaces, or in base 64."""
    lower = text.lower()
    squeezed = re.sub(r"[\W_]", "", lower)
    wanted = word.replace(" ", "")
    if wanted not in lower and wanted in squeezed and len(_SPACED.findall(lower)) > 0:
        return True
    if len(wanted) > 4 and (wanted[::-1] in squeezed or codecs.encode(wanted, "rot13") in squeezed):
        return True
    return any(_is_blob(blob) for blob in _BLOB.findall(text))


def _is_blob(blob: str) -> bool:
    """Return whether a long run of letters and digits is base 64 of readable text."""
    if not _MIXED.match(blob):
        return False
    try:
        decoded = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=False)
    except (binascii.Error, ValueError):
        return False
    return bool(decoded) and sum(32 <= byte < 127 for byte in decoded) / len(decoded) > 0.9


@cache
def _load() -> tuple[tuple[_Family, ...], tuple[str, ...]]:
    table = yaml.safe_load((KNOWLEDGE / "guard.yaml").read_text(encoding="utf-8"))
    families = tuple(
        _Family(Refused(row["topic"], row["answer"]), re.compile("|".join(f"(?:{p})" for p in row["patterns"])))
        for row in table["families"]
    )
    return families, tuple(table["encoded"])
