"""The view of a slice that the content network sees; numpy and scipy only."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float32]

SIDE_PX = 96
_BODY_SHARE = 0.08
"""Smoothed brightness, as a share of the 99.5th percentile, from which a pixel belongs to the body. Own choice."""
_LEAST_SHARE = 0.05
"""A row or column of which less is body lies outside it. Own choice."""
SHADING_SIGMA_PX = 8.0
_FLOOR = 0.08
_MOST = 3.0


def standard_view(image: Grey, side: int = SIDE_PX) -> Grey:
    """Return the slice cut to the body on a square.

    Args:
        image: (rows, columns), any finite range, original pixels.
        side: Pixels of the square; the longer side of the body fills it, black fills the rest.

    Returns:
        (side, side), brightness 0 to 1.
    """
    low, high = np.percentile(image, (1.0, 99.5))
    grey = np.clip((image - low) / max(float(high - low), 1e-6), 0.0, 1.0).astype(np.float32)
    grey = _cut_to_body(grey)
    zoom = side / max(grey.shape)
    if zoom < 1:  # what is finer than the new pixels would fold back
        grey = ndimage.gaussian_filter(grey, 0.4 / zoom)
    size = [max(2, round(length * zoom)) for length in grey.shape]
    small = ndimage.zoom(grey, [new / old for new, old in zip(size, grey.shape, strict=True)], order=1)
    square = np.zeros((side, side), dtype=np.float32)
    top, left = ((side - length) // 2 for length in small.shape)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def channels(square: Grey) -> Grey:
    """Return what the network sees of a standard view, (2, side, side): freed of the coil's slow shading, and
    plain."""
    shading = ndimage.gaussian_filter(square, SHADING_SIGMA_PX, mode="constant")
    return np.stack([np.minimum(square / (shading + _FLOOR), _MOST) - 1.0, square]).astype(np.float32)


def _cut_to_body(grey: Grey) -> Grey:
    smooth = ndimage.gaussian_filter(grey, max(grey.shape) / 64)
    rows, columns = ((smooth > _BODY_SHARE).mean(axis=axis) > _LEAST_SHARE for axis in (1, 0))
    if not rows.any() or not columns.any():
        return grey
    top, bottom = np.flatnonzero(rows)[[0, -1]]
    left, right = np.flatnonzero(columns)[[0, -1]]
    return grey[top : bottom + 1, left : right + 1]
