"""Level centres and spacing of a reading.json, for the localisation of levels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.segmentation.levels import Point

Reading = Mapping[str, Any]


def centres_of_both(predicted: Reading, reference: Reading) -> tuple[dict[str, Point], dict[str, Point]] | None:
    """Return the disc centres of two readings of one study, in one frame and mm; None where there is none.

    RAS+ mm where every level of both has it; else (column, row) mm in the one series that both name levels on.
    """
    both = (predicted, reference)
    if all(level["centre_mm"] is not None for reading in both for level in reading["levels"]):
        left, right = (_world(reading) for reading in both)
        return left, right
    series = {level["series"] for reading in both for level in reading["levels"]}
    if len(series) != 1:
        return None
    steps = [_spacing(reading, next(iter(series))) for reading in both]
    if steps[0] is None or steps[1] is None:
        return None
    return _on_slice(predicted, steps[0]), _on_slice(reference, steps[1])


def picture_spacing(reading: Reading) -> tuple[float, float] | None:
    """Return (row, column) mm of the series that the plain label map was drawn on; None when unknown."""
    maps = reading.get("label_maps") or ()
    found = _spacing(reading, maps[0]["series"]) if maps else None
    return None if found is None else (found[1], found[0])


def _spacing(reading: Reading, series: str) -> tuple[float, float] | None:
    row = next((item for item in reading["study"]["series"] if item["id"] == series), None)
    if row is None or row["spacing_mm"] is None:
        return None
    return row["spacing_mm"][0], row["spacing_mm"][1]


def _world(reading: Reading) -> dict[str, Point]:
    return {level["name"]: np.asarray(level["centre_mm"], dtype=np.float64) for level in reading["levels"]}


def _on_slice(reading: Reading, step: tuple[float, float]) -> dict[str, Point]:
    return {
        level["name"]: np.asarray(level["centre_px"], dtype=np.float64) * np.asarray(step)
        for level in reading["levels"]
    }
