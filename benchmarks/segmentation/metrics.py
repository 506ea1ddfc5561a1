"""Overlap and distance of two masks."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluation.segmentation import overlap

Mask = NDArray[np.bool_]


def dice(prediction: Mask, reference: Mask) -> float:
    """Return 2 |A and B| / (|A| + |B|); nan when both are empty."""
    found = overlap(prediction, reference).dice
    return float("nan") if found is None else found


def hd95_mm(prediction: Mask, reference: Mask, spacing: tuple[float, float]) -> float:
    """Return the 95th percentile of the outlines' distances both ways, in mm; nan when one is empty."""
    if not prediction.any() or not reference.any():
        return float("nan")
    outlines = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, reference)]
    away = [ndimage.distance_transform_edt(~outline, sampling=spacing) for outline in outlines]
    return float(np.percentile(np.concatenate([away[1][outlines[0]], away[0][outlines[1]]]), 95))


def known_mean(values: Iterable[float]) -> float:
    """Return the mean of the finite values; nan when there is none."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
