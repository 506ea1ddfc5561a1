"""Biomarkers: numbers that the outlines tell of each level, given to the network beside the crops. No torch.

They are measurements of the segmentation room that need no millimetres, and two lengths of the chain of levels. An
unknown one is NaN. What there is stands in ``biomarkers.yaml``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from anatomy import DISC_LEVELS
from segmentation.types import Level, Measurement

Values = NDArray[np.float32]
"""One value per biomarker, (K,); NaN where unknown."""

_LARGEST = 4.0  # ours: standardised values beyond this are outlines gone wrong


@dataclass(frozen=True)
class Biomarker:
    """One row of the table.

    Attributes:
        name: As the network's configuration names it.
        measurement: Measurement it is read from; None for one of the chain.
        place: ``level``, ``above`` or ``below`` (the vertebra); ``length`` or ``offset`` for one of the chain.
        centre: Subtracted before use.
        spread: Divided by before use.
    """

    name: str
    measurement: str | None
    place: str
    centre: float
    spread: float


@cache
def load_biomarkers() -> tuple[Biomarker, ...]:
    """Read the table."""
    rows = yaml.safe_load((Path(__file__).parent / "biomarkers.yaml").read_text(encoding="utf-8"))
    return tuple(
        Biomarker(row["name"], row.get("from"), row.get("at") or row["chain"], row["centre"], row["spread"])
        for row in rows
    )


def biomarker_names() -> tuple[str, ...]:
    """Return all names, in the table's order."""
    return tuple(item.name for item in load_biomarkers())


def level_biomarkers(levels: Sequence[Level], measurements: Iterable[Measurement]) -> dict[str, Values]:
    """Return standardised biomarkers of each level, clipped to -4 to 4.

    Args:
        levels: Named levels of the series that was measured, cranial to caudal.
        measurements: Of the study.

    Returns:
        Level -> (K,), NaN where unknown.
    """
    known = {
        (item.name, item.level): item.value
        for item in measurements
        if item.side is None and item.value is not None
    }
    chain = _chain(levels)
    return {
        level.name: np.array(
            [_standard(item, _raw(item, level.name, known, chain)) for item in load_biomarkers()], np.float32
        )
        for level in levels
    }


def _raw(
    item: Biomarker,
    level: str,
    known: Mapping[tuple[str, str | None], float],
    chain: Mapping[tuple[str, str], float],
) -> float:
    if item.measurement is None:
        return chain.get((item.place, level), np.nan)
    above, _, below = level.partition("-")
    place = {"level": level, "above": above, "below": below}[item.place]
    return known.get((item.measurement, place), np.nan)


def _standard(item: Biomarker, value: float) -> float:
    return float(np.clip((value - item.centre) / item.spread, -_LARGEST, _LARGEST))


def _chain(levels: Sequence[Level]) -> dict[tuple[str, str], float]:
    """Return lengths of discs, and how far margins stand behind the line of their neighbours, in level pitches.

    Pixels are taken as square; a stretched picture shifts all levels alike.
    """
    names = [level.name for level in levels]
    points = {level.name: np.array(level.posterior_px) for level in levels}
    found: dict[tuple[str, str], float] = {}
    for level in levels:
        index = DISC_LEVELS.index(level.name)
        beside = [DISC_LEVELS[k] for k in (index - 1, index + 1) if 0 <= k < len(DISC_LEVELS)]
        beside = [name for name in beside if name in names]
        if not beside:
            continue
        here = points[level.name]
        pitch = float(np.mean([np.linalg.norm(points[name] - here) for name in beside]))
        if pitch <= 0:
            continue
        found["length", level.name] = level.length_px / pitch
        if len(beside) == 2:
            way, there = points[beside[1]] - points[beside[0]], here - points[beside[0]]
            found["offset", level.name] = float(way[1] * there[0] - way[0] * there[1]) / (
                float(np.linalg.norm(way)) * pitch
            )
    return found
