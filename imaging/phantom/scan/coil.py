"""Sensitivity of the coil, and the noise of its two channels."""

import numpy as np

from imaging.phantom.grid import Grid
from imaging.phantom.scene import Coil
from imaging.types import FloatVolume

_WIDTH_MM = 190.0  # to the sides; own choice
_PEAK = 1.35  # before it is clipped: an even region near the coil; own choice
_NEAR_MM = 30.0  # how far the bright rim beside the coil reaches; own choice
_FALL = 2.2  # how sharply it falls with depth; own choice


def sensitivity(grid: Grid, coil: Coil, depth_mm: float, *, near: float = 0.0) -> FloatVolume:
    """Return the sensitivity (K, I, J) of a surface coil behind the back: it loses the front.

    Args:
        grid: Of the series.
        coil: Where it lies.
        depth_mm: How fast it loses what lies deep.
        near: How much more it sees of what lies on it than of what is 60 mm away and more, where it is 1 or less.
    """
    x, y, z = (axis[:, :, :: grid.sub_slices] if axis.shape[2] > 1 else axis for axis in grid.points())
    away = np.maximum(y - coil.back(z), 0.0)
    depth = away / depth_mm
    ends = ((z - coil.middle_z) / coil.reach_mm) ** 2
    found = _PEAK * np.exp(-(depth**_FALL) * 0.5 - ends) * np.exp(-((x / _WIDTH_MM) ** 2))
    found = np.clip(found, 0.0, 1.0)
    if near:
        found = found * (1.0 + near * np.exp(-away / _NEAR_MM))
    return np.ascontiguousarray(found.transpose(2, 0, 1), dtype=np.float32)


def rician(image: FloatVolume, sigma: float, rng: np.random.Generator) -> FloatVolume:
    """Return the magnitude of a signal with Gaussian noise of a standard deviation in both channels.

    Without signal its mean is sigma sqrt(pi / 2). Source: Gudbjartsson, MRM 1995.
    """
    real = rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = rng.standard_normal(image.shape, dtype=np.float32)
    real *= np.float32(sigma)
    real += image
    imaginary *= np.float32(sigma)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)
