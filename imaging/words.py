"""Words of headers and file names that tell sequence, plane and body region (``words.yaml``).

Descriptions come in the language of the hospital. Text is brought to one plain form first: small letters,
accents of Latin letters taken off, Cyrillic and East Asian script kept. Only the matched class is ever passed
on, never the text itself: descriptions are free text and may hold names.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_Patterns = tuple[re.Pattern[str], ...]

# Letters that Unicode does not take apart into a plain one and an accent.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ё": "е"})
_EAST_ASIAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_SCRIPT_BORDER = re.compile(
    rf"(?<=[{_EAST_ASIAN}])(?=[^\s{_EAST_ASIAN}])|(?<=[^\s{_EAST_ASIAN}])(?=[{_EAST_ASIAN}])"
)
_NO_WORD = re.compile(r"[^\w*+]+|_+")
_CYRILLIC_T = re.compile(r"\bт(?=[12])")


def plain_text(*parts: str) -> str:
    """Return the parts in small letters; each run of characters other than letters, digits, + and * is one space.

    Accents are taken off Latin letters (``sagittalé`` is ``sagittale``), full-width letters become usual ones, and
    East Asian script is set off by spaces from what stands beside it.
    """
    return " ".join(plain for part in parts if part and (plain := _plain(part)))


def sequence_words(text: str) -> tuple[str, ...]:
    """Return which of ``t1``, ``t2``, ``stir`` a plain text names.

    The name of a three-dimensional spin echo (SPACE, CUBE, VISTA) stands for T2 only when no weighting is named.
    """
    named = _named("sequences", text)
    return named or (("t2",) if has_word("t2_if_alone", text) else ())


def other_words(text: str) -> tuple[str, ...]:
    """Return which kinds that are none of T1, T2 and STIR a plain text names; values of ``acquisition.Kind``."""
    return _named("others", text)


def plane_words(text: str) -> tuple[str, ...]:
    """Return which of ``sagittal``, ``coronal``, ``axial`` a plain text names."""
    return _named("planes", text)


def region_words(text: str) -> tuple[str, ...]:
    """Return which body regions a plain text names: protocol names, ``thoracic``, ``spine``, ``not_spine``."""
    return _named("regions", text)


def contrast_words(text: str) -> bool | None:
    """Say whether a plain text tells of contrast medium: True, False when it denies it, None when it is silent.

    What names the whole examination (``w wo``) tells nothing of one series and is passed over.
    """
    rest = text
    for pattern in _table()["with_and_without_contrast"][""]:
        rest = pattern.sub(" ", rest)
    if has_word("no_contrast", rest):
        return False
    return True if has_word("contrast", rest) else None


def has_word(kind: str, text: str) -> bool:
    """Say whether a plain text holds a word of one kind.

    Args:
        kind: A list of ``words.yaml``, such as ``fat_suppressed`` or ``localiser``.
        text: From ``plain_text``.
    """
    return any(pattern.search(text) for pattern in _table()[kind][""])


def _plain(part: str) -> str:
    folded = unicodedata.normalize("NFKC", part).casefold().translate(_PLAIN)
    bare = "".join(_without_accent(letter) for letter in folded)
    words = _SCRIPT_BORDER.sub(" ", _NO_WORD.sub(" ", bare))
    return _CYRILLIC_T.sub("t", " ".join(words.split()))


def _without_accent(letter: str) -> str:
    """Return a Latin letter without its accent, other letters as they are (``й`` is no ``и``), a lone accent as
    ``""``."""
    if letter.isascii():
        return letter
    if unicodedata.combining(letter):
        return ""
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() else letter


def _named(kind: str, text: str) -> tuple[str, ...]:
    groups = _table()[kind]
    return tuple(name for name, patterns in groups.items() if any(item.search(text) for item in patterns))


@cache
def _table() -> dict[str, dict[str, _Patterns]]:
    raw: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
    return {
        kind: {
            name: _compiled(items) for name, items in (group if isinstance(group, dict) else {"": group}).items()
        }
        for kind, group in raw.items()
    }


def _compiled(items: list[str]) -> _Patterns:
    return tuple(re.compile(item) for item in items)
