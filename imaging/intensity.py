"""Intensities of MR slices: they have no unit, so every slice is stretched by its own percentiles.

Segmentation and grading share this one function, so that a network sees at run time what it saw in training.
"""

import math

import numpy as np
from numpy.typing import NDArray

from runtime.errors import StudyError

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0

MAX_INTENSITY = 1e12
"""Largest intensity believed; own choice: scanners write 12 to 16 bits times a slope, and sums of squares of
larger values leave the range of 32-bit numbers."""


def check_values(name: str, array: NDArray[np.float32]) -> None:
    """Refuse intensities that are none.

    Args:
        name: File name, for the message.
        array: Intensities of any shape.

    Raises:
        StudyError: If a value is not finite, or beyond ``MAX_INTENSITY``.
    """
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):  # NaN goes through both
        raise StudyError(f"{name}: expected finite pixel values, found NaN or infinity")
    if max(-low, high) > MAX_INTENSITY:
        raise StudyError(
            f"{name}: expected pixel values of at most {MAX_INTENSITY:g}, found {max(-low, high):.3g}; the "
            "file is damaged or its scale is wrong"
        )


def normalise_slice(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Stretch a slice to 0 to 1 between its 1st and 99th percentile, and clip what lies outside.

    The result does not change when the image is multiplied by a positive number or shifted.

    Args:
        image: (H, W) intensities of any real number type, rows first, original pixels.

    Returns:
        (H, W) float32 in 0 to 1. All zeros when the slice has no contrast at all. When the percentiles fall
        together (a few bright pixels on an even ground), the full range is used instead.

    Raises:
        ValueError: If the array is not two-dimensional, is empty, or holds a value that is not finite.
    """
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"image: expected a non-empty (H, W) array, got shape {image.shape!r}")
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("image: expected finite intensities, got NaN or infinity")
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if high <= low:
        low, high = values.min(), values.max()
    if high <= low:
        return np.zeros(image.shape, dtype=np.float32)
    stretched: NDArray[np.float32] = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return stretched
