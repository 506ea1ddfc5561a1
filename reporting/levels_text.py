"""Level names as a report writes them: ranges of neighbours, lists otherwise."""

from collections.abc import Sequence

from anatomy import DISC_LEVELS, SIJ

_RANGE = 3
"""Fewest neighbouring levels written as a range."""


def levels_text(levels: Sequence[str]) -> str:
    """Return ``L1-L2 to L3-L4`` for three or more neighbours, else a list (``L1-L2, L3-L4 and L5-S1``)."""
    parts: list[str] = []
    for run in _runs(levels):
        parts += [f"{run[0]} to {run[-1]}"] if len(run) >= _RANGE else run
    names = ["the sacroiliac joints" if part == SIJ else part for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _runs(levels: Sequence[str]) -> list[list[str]]:
    """Split into runs of neighbours, cranial to caudal."""
    runs: list[list[str]] = []
    for level in levels:
        if runs and _follows(runs[-1][-1], level):
            runs[-1].append(level)
        else:
            runs.append([level])
    return runs


def _follows(first: str, second: str) -> bool:
    if first not in DISC_LEVELS or second not in DISC_LEVELS:
        return False
    return DISC_LEVELS.index(second) == DISC_LEVELS.index(first) + 1
