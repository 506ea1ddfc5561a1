"""Level localisation: is each disc level of the reference found, under its own name and near its place?

A level is *found* when the centre of the same name lies within the distance and no other reference centre is
nearer to it. Otherwise the name of the nearest predicted centre within the distance decides: *wrong by one* (a
neighbour's name), *wrong by more*, or *missed* (nothing there). Source: the identification rate of Sekuboyina et
al., Med Image Anal 2021;73:102166 (nearest and within 20 mm), applied to discs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, disc_label
from evaluation.segmentation.label_map import LabelImage

Point = NDArray[np.float64]
"""(2,) or (3,) mm, in one frame for the whole case."""
FOUND, WRONG_BY_ONE, WRONG_BY_MORE, MISSED = "found", "wrong_by_one", "wrong_by_more", "missed"


@dataclass(frozen=True)
class LevelMatches:
    """One case.

    Attributes:
        outcome: Level of the reference -> ``found``, ``wrong_by_one``, ``wrong_by_more`` or ``missed``.
        distance_mm: Found level -> distance between the two centres.
    """

    outcome: Mapping[str, str]
    distance_mm: Mapping[str, float]

    def count(self, outcome: str) -> int:
        """Return how many levels ended so."""
        return sum(item == outcome for item in self.outcome.values())


def level_centres(image: LabelImage) -> dict[str, Point] | None:
    """Return the centre of mass of every disc of a label map in mm; None when spacing is unknown.

    RAS+ mm through the affine of a NIfTI; (row, column) mm of a PNG.
    """
    if image.spacing_mm is None:
        return None
    centres = {}
    for level in DISC_LEVELS:
        places = np.argwhere(image.labels == disc_label(level))
        if len(places):
            centres[level] = _to_mm(places.mean(axis=0), image)
    return centres


def match_levels(
    predicted: Mapping[str, Point], reference: Mapping[str, Point], *, distance_mm: float
) -> LevelMatches:
    """Match the levels of a case.

    Args:
        predicted: Level -> centre.
        reference: Level -> centre, in the same frame.
        distance_mm: Within it a centre counts.
    """
    outcome, distances = {}, {}
    for level, centre in reference.items():
        same = predicted.get(level)
        if same is not None and _is_here(same, level, reference, distance_mm):
            outcome[level] = FOUND
            distances[level] = float(np.linalg.norm(same - centre))
        else:
            outcome[level] = _name_at(centre, level, predicted, distance_mm)
    return LevelMatches(outcome, distances)


def _to_mm(place: Point, image: LabelImage) -> Point:
    if image.affine is None:
        return np.asarray(place * np.asarray(image.spacing_mm))
    whole = np.zeros(3)
    whole[: len(place)] = place
    return np.asarray(image.affine[:3, :3] @ whole + image.affine[:3, 3])


def _is_here(point: Point, level: str, reference: Mapping[str, Point], distance_mm: float) -> bool:
    apart = {name: float(np.linalg.norm(point - centre)) for name, centre in reference.items()}
    return apart[level] <= distance_mm and apart[level] <= min(apart.values())


def _name_at(centre: Point, level: str, predicted: Mapping[str, Point], distance_mm: float) -> str:
    apart = {name: float(np.linalg.norm(point - centre)) for name, point in predicted.items()}
    near = min(apart, key=lambda name: apart[name], default=None)
    if near is None or near == level or apart[near] > distance_mm:
        return MISSED
    steps = abs(DISC_LEVELS.index(near) - DISC_LEVELS.index(level))
    return WRONG_BY_ONE if steps == 1 else WRONG_BY_MORE
