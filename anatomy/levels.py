"""Names of vertebrae and disc levels, their order, neighbours and label numbers.

A disc level is written ``L4-L5``: the vertebra above, then the one below. Order is always cranial to caudal.
Label numbers follow SPIDER, made absolute by name (DESIGN.md): vertebra L5 is 1 and counts upward to C1 = 24;
a disc is 200 + the number of the vertebra above it.

Transitional anatomy: a lumbosacral transitional vertebra makes a spine count four or six lumbar vertebrae. The
names stay the usual ones; ``L6`` and ``T13`` are understood in text (``parse_level``) and never numbered.
"""

import re

VERTEBRAE: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
)
"""C1 to L5, cranial to caudal."""

_BELOW = dict(zip(VERTEBRAE, (*VERTEBRAE[1:], "S1"), strict=True))

DISC_LEVELS: tuple[str, ...] = tuple(f"{name}-{_BELOW[name]}" for name in VERTEBRAE if name != "C1")
"""C2-C3 to L5-S1, cranial to caudal (there is no disc between C1 and C2)."""

SIJ = "SIJ"
"""The level name of both sacroiliac joints."""

_TRANSITIONAL = {"L5-L6", "L6-S1", "T12-T13", "T13-L1", "L4-S1"}
_NAME = re.compile(r"^\s*([CTDLS])\s*(\d{1,2})\s*(?:[-/–—]|\s)\s*([CTDLS]?)\s*(\d{1,2})\s*$", re.IGNORECASE)


def vertebra_label(name: str) -> int:
    """Return the label number of a vertebra: L5 = 1, L4 = 2, ... C1 = 24.

    Raises:
        ValueError: If the name is not one of ``VERTEBRAE``.
    """
    if name not in VERTEBRAE:
        raise ValueError(f"vertebra: expected one of C1 to L5, got {name!r}")
    return len(VERTEBRAE) - VERTEBRAE.index(name)


def disc_label(level: str) -> int:
    """Return the label number of a disc: 200 + that of the vertebra above (L5-S1 = 201, C2-C3 = 223).

    Raises:
        ValueError: If the level is not one of ``DISC_LEVELS``.
    """
    if level not in DISC_LEVELS:
        raise ValueError(f"disc level: expected one of C2-C3 to L5-S1, got {level!r}")
    return 200 + vertebra_label(level.split("-")[0])


def neighbours(level: str) -> tuple[str | None, str | None]:
    """Return the disc level above and the one below, None past either end."""
    index = DISC_LEVELS.index(level)
    above = DISC_LEVELS[index - 1] if index > 0 else None
    below = DISC_LEVELS[index + 1] if index + 1 < len(DISC_LEVELS) else None
    return above, below


def parse_level(text: str) -> str | None:
    """Read one disc level as people write it; None when it is not one.

    ``L4/5``, ``l4-5``, ``L4 - L5``, ``D12/L1`` (D for dorsal), ``L5/S1`` are understood, and the transitional
    names ``L5-L6``, ``L6-S1``, ``T12-T13``, ``T13-L1``, ``L4-S1``. The two vertebrae must be neighbours.
    """
    match = _NAME.match(text)
    if match is None:
        return None
    upper_letter = match[1].upper().replace("D", "T")
    upper = f"{upper_letter}{int(match[2])}"
    lower_letter = match[3].upper().replace("D", "T")
    number = int(match[4])
    if not lower_letter:
        lower_letter = _implied_letter(upper, number)
    level = f"{upper}-{lower_letter}{number}"
    return level if level in DISC_LEVELS or level in _TRANSITIONAL else None


def _implied_letter(upper: str, number: int) -> str:
    """Return the region letter of a lower vertebra written as a bare number (``T12/1`` means T12-L1)."""
    below = _BELOW.get(upper)
    if below is not None and int(below[1:]) == number:
        return below[0]
    return upper[0]
