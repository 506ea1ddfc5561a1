"""The order of places in a report: disc levels from cranial to caudal, the sacroiliac joints, the whole study."""

from anatomy import DISC_LEVELS, SIJ

_ORDER: dict[str | None, int] = {name: index for index, name in enumerate((*DISC_LEVELS, SIJ, None))}


def level_place(level: str | None) -> int:
    """Return the place of a level in the order cranial to caudal; the whole study (None) comes last."""
    return _ORDER[level]
