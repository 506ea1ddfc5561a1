"""Distance between the outlines of two masks, in pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


def surface_distance_px(prediction: Mask, reference: Mask) -> float:
    """Return the mean distance between two outlines, both ways, over the slices of (N, H, W) masks.

    Outline pixels of all slices count alike; a slice that has only one of the two has no distance and is left out
    (``missed`` and the Dice tell of it).

    Returns:
        Pixels of the original slice; nan when no slice has both.
    """
    away = [_distances(a, b) for a, b in zip(prediction, reference, strict=True) if a.any() and b.any()]
    return float(np.concatenate(away).mean()) if away else float("nan")


def _distances(prediction: Mask, reference: Mask) -> NDArray[np.float64]:
    """Return the distance of every outline pixel of two (H, W) masks from the other outline."""
    outlines = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, reference)]
    to_first, to_second = (np.asarray(ndimage.distance_transform_edt(~outline)) for outline in outlines)
    return np.concatenate([to_second[outlines[0]], to_first[outlines[1]]])
