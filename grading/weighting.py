"""Tell T1 from T2 by the picture when no header does: fluid in the canal is brighter than marrow only on T2.

The rule reads the crops' own places: the canal behind each posterior disc margin and the marrow between discs.
It says nothing of STIR or fat-suppressed series, whose header must tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grading.config import CropGeometry
from grading.crops import LevelCrop
from imaging.types import Sequence as Weighting

# Places in pitches from the posterior disc margin: (front from, front to, down from, down to).
_CANAL = (-0.40, -0.08, -0.35, 0.35)
_MARROW = (0.25, 0.75, 0.42, 0.60)
# Limits of the canal-to-marrow ratio, from SPIDER's middle slices with reference points (benchmarks/grading.py
# reports how often they are right): what lies between is not decided.
T2_FROM = 1.25
T1_UP_TO = 0.95


@dataclass(frozen=True)
class WeightingGuess:
    """What the picture tells.

    Attributes:
        weighting: T1, T2 or UNKNOWN.
        ratio: Brightness of the canal over that of marrow, median over the levels.
    """

    weighting: Weighting
    ratio: float


def guess_weighting(crops: Sequence[LevelCrop], geometry: CropGeometry) -> WeightingGuess:
    """Decide by the ratio of canal to marrow.

    Args:
        crops: A slice's crops with the picture's own intensities.
        geometry: Size of the crops.
    """
    ratios = [_mean(crop, geometry, _CANAL) / max(_mean(crop, geometry, _MARROW), 1e-6) for crop in crops]
    ratio = float(np.median(ratios)) if ratios else float("nan")
    if ratio >= T2_FROM:
        return WeightingGuess(Weighting.T2, ratio)
    if ratio <= T1_UP_TO:
        return WeightingGuess(Weighting.T1, ratio)
    return WeightingGuess(Weighting.UNKNOWN, ratio)


def _mean(crop: LevelCrop, geometry: CropGeometry, place: tuple[float, float, float, float]) -> float:
    front_from, front_to, down_from, down_to = place
    scale = geometry.pixels_per_pitch
    columns = slice(
        round((geometry.front_pitches - front_to) * scale), round((geometry.front_pitches - front_from) * scale)
    )
    rows = slice(
        round((down_from + geometry.half_height_pitches) * scale),
        round((down_to + geometry.half_height_pitches) * scale),
    )
    return float(np.median(crop.image[rows, columns]))
