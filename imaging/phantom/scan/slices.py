"""Through the slice: sub-slices weighted by the profile of the excitation give partial volume.

Images are (K, I, J) here, slice by slice in memory; the phantom's volumes are (I, J, K).
"""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.types import FloatVolume

_REACH = {"gaussian": 1.4, "box": 1.0}  # what the sub-slices cover, in slice thicknesses; own choice


def profile_reach(profile: str) -> float:
    """Return how far the sub-slices reach, in slice thicknesses."""
    return _REACH[profile]


def profile_weights(profile: str, sub_slices: int) -> NDArray[np.float32]:
    """Return the weights (sub_slices,) of the samples through a slice; they sum to 1.

    ``gaussian`` is a profile whose full width at half maximum is the slice thickness, ``box`` an ideal one.
    """
    place = ((np.arange(sub_slices) + 0.5) / sub_slices - 0.5) * _REACH[profile]
    weights = np.exp(-4.0 * np.log(2.0) * place**2) if profile == "gaussian" else np.ones(sub_slices)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def slice_major(canvas: Canvas) -> NDArray[np.uint8]:
    """Return the tissue numbers (K, S, I, J) of a canvas, S sub-slices of each of K slices."""
    columns, rows, slices = canvas.grid.shape
    parts = canvas.tissue.reshape(columns, rows, slices, canvas.grid.sub_slices)
    return np.ascontiguousarray(parts.transpose(2, 3, 0, 1))


def mean_slices(values: NDArray[np.float32], numbers: NDArray[np.uint8], profile: str) -> FloatVolume:
    """Return the mean (K, I, J) through each slice of a value given by tissue number.

    Args:
        values: (N,) by tissue number.
        numbers: (K, S, I, J).
        profile: ``gaussian`` or ``box``.
    """
    weights = profile_weights(profile, numbers.shape[1])
    table = np.zeros(256, dtype=np.float32)
    table[: len(values)] = values
    mean = np.take(table * weights[0], numbers[:, 0])
    for part in range(1, len(weights)):
        mean += np.take(table * weights[part], numbers[:, part])
    return np.asarray(mean, dtype=np.float32)


def volume(images: NDArray[np.float32]) -> FloatVolume:
    """Return slice images (K, I, J) as a volume (I, J, K)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0))
