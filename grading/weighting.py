"""Tell T1 from T2 by the picture when no header does: fluid in the canal far outshines the discs only on T2.

The rule reads the crops' own places: the canal close behind the posterior disc margins and the middle of the
discs. It says nothing of STIR or fat-suppressed series, whose header must tell.

Measured on SPIDER's middle slices (184 T2 or T2 SPACE, 123 T1): AUC 0.998; the ratio is below 1.33 on 95 % of
the T1 and above 1.78 on 95 % of the T2. The limits leave a gap that is not decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.config import CropGeometry
from grading.crops import Crop, LevelCrop
from imaging.types import Sequence as Weighting

# Places in pitches from the posterior disc margin: (front from, front to, down from, down to).
_CANAL = (-0.25, -0.08, -0.70, 0.70)
_DISC = (0.25, 0.75, -0.08, 0.08)
_CANAL_PERCENTILE = 75.0  # the sac fills most of that window, roots and fat the rest
T2_FROM = 1.75
T1_UP_TO = 1.5


@dataclass(frozen=True)
class WeightingGuess:
    """What the picture tells.

    Attributes:
        weighting: T1, T2 or UNKNOWN.
        ratio: Brightness of the canal over that of the disc, median over the levels.
    """

    weighting: Weighting
    ratio: float


def guess_weighting(crops: Sequence[LevelCrop], geometry: CropGeometry) -> WeightingGuess:
    """Decide by the ratio of canal to disc.

    Args:
        crops: A slice's crops with the picture's own intensities; a negative ground is lifted to 0.
        geometry: Size of the crops.
    """
    floor = min([0.0, *(float(np.percentile(crop.image, 0.5)) for crop in crops)])
    ratios = [_ratio(crop.image - np.float32(floor), geometry) for crop in crops]
    ratio = float(np.median(ratios)) if ratios else float("nan")
    if ratio >= T2_FROM:
        return WeightingGuess(Weighting.T2, ratio)
    if ratio <= T1_UP_TO:
        return WeightingGuess(Weighting.T1, ratio)
    return WeightingGuess(Weighting.UNKNOWN, ratio)


def _ratio(image: Crop, geometry: CropGeometry) -> float:
    canal = float(np.percentile(_window(image, geometry, _CANAL), _CANAL_PERCENTILE))
    return canal / max(float(np.median(_window(image, geometry, _DISC))), 1e-6)


def _window(image: Crop, geometry: CropGeometry, place: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Return the part of a crop at a place."""
    front_from, front_to, down_from, down_to = place
    scale, half = geometry.pixels_per_pitch, geometry.half_height_pitches
    columns = slice(
        round((geometry.front_pitches - front_to) * scale), round((geometry.front_pitches - front_from) * scale)
    )
    rows = slice(max(round((down_from + half) * scale), 0), round((down_to + half) * scale))
    return image[rows, columns]
