"""Words of headers and file names that tell sequence, plane and body region (``words.yaml``).

Only the matched class is ever passed on, never the text itself: descriptions are free text and may hold names.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_Patterns = tuple[re.Pattern[str], ...]


def plain_text(*parts: str) -> str:
    """Return the parts in lower case; each run of characters other than letters, digits, + and * is one space."""
    return " ".join(re.sub(r"[^a-z0-9*+]+", " ", part.lower()).strip() for part in parts if part).strip()


def sequence_words(text: str) -> tuple[str, ...]:
    """Return which of ``t1``, ``t2``, ``stir`` a plain text names."""
    return _named("sequences", text)


def plane_words(text: str) -> tuple[str, ...]:
    """Return which of ``sagittal``, ``coronal``, ``axial`` a plain text names."""
    return _named("planes", text)


def region_words(text: str) -> tuple[str, ...]:
    """Return which body regions a plain text names: protocol names, ``thoracic``, ``spine``, ``not_spine``."""
    return _named("regions", text)


def has_word(kind: str, text: str) -> bool:
    """Say whether a plain text holds a word of one kind.

    Args:
        kind: ``other``, ``other_in_name``, ``fat_suppressed``, ``contrast`` or ``localiser``.
        text: From ``plain_text``.
    """
    return any(pattern.search(text) for pattern in _table()[kind][""])


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
