"""From painted tissues to an MR image: spin-echo signal, partial volume, texture, coil, blur and Rician noise."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from imaging.phantom.canvas import Canvas
from imaging.phantom.scene import Coil
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette
from imaging.types import FloatVolume

_WHITE = 1400.0  # stored value of the brightest tissue at full coil sensitivity
_FAT_SHARE = 0.16  # mean fat of paraspinal muscle, between the 12 % under and 19 % over 38 y (PMC7063279)
_BLUR_PIXELS = 0.55  # standard deviation of the in-plane point spread


def take_image(
    canvas: Canvas, palette: Palette, row: SeriesRow, coil: Coil, setup: Setup, *, seed: tuple[int, int]
) -> FloatVolume:
    """Return the image of a painted canvas.

    Args:
        canvas: Painted tissues.
        palette: Their relaxation.
        row: How the series is taken.
        coil: Where the surface coil lies.
        setup: Noise and the coil's depth.
        seed: Of texture and noise.

    Returns:
        (I, J, K) float32 of whole numbers from 0, as a scanner stores them.
    """
    rng = np.random.default_rng(seed)
    signals = palette.signals(tr=row.tr, te=row.te)
    number = canvas.tissue
    fat_signal = signals[palette.number("fat")]
    streaks = palette.fat_shares()
    mean = _mean_slices(signals[number], canvas)
    texture = _mean_slices(palette.textures()[number], canvas)
    # Fat streaks replace part of the tissue: this is how much the signal may move towards fat.
    towards_fat = _mean_slices((streaks * (fat_signal - signals))[number], canvas)
    shape = mean.shape
    # Streaks run along the muscles: down a sagittal picture, across an axial one they are dots.
    streak = (1.5, 6.0, 0.5) if row.plane == "sagittal" else (1.7, 1.7, 1.5)
    mean += towards_fat * np.clip(_FAT_SHARE + 0.22 * _noise_field(shape, streak, rng), 0.0, 0.9)
    grain = 0.6 * _noise_field(shape, (1.0, 1.0, 0.4), rng) + 0.8 * _noise_field(shape, (3.5, 3.5, 0.6), rng)
    mean *= 1.0 + texture * grain
    mean = gaussian_filter(mean, (_BLUR_PIXELS, _BLUR_PIXELS, 0.0))
    mean *= _sensitivity(canvas, coil, setup)
    sigma = setup.noise_share * float(signals.max())
    real = mean + sigma * rng.standard_normal(shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(shape, dtype=np.float32)
    image = np.hypot(real, imaginary) * (_WHITE / float(signals.max()))
    return np.asarray(np.rint(image), dtype=np.float32)


def _mean_slices(values: NDArray[np.float32], canvas: Canvas) -> NDArray[np.float32]:
    """Average the sub-slices: partial volume through the slice."""
    columns, rows, slices = canvas.grid.shape
    parts = values.reshape(columns, rows, slices, canvas.grid.sub_slices)
    return np.asarray(parts.mean(axis=3, dtype=np.float32))


def _noise_field(
    shape: tuple[int, ...], smoothness: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return smooth noise of mean 0 and standard deviation 1; made on a coarser grid where that is enough."""
    step = max(1, int(min(smoothness[:2]) // 1.5))
    coarse = (-(-shape[0] // step), -(-shape[1] // step), shape[2])
    sigma = (smoothness[0] / step, smoothness[1] / step, smoothness[2])
    field = gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), sigma)
    if step > 1:
        field = zoom(field, (step, step, 1), order=1)[: shape[0], : shape[1]]
    return np.asarray(field / field.std(), dtype=np.float32)


def _sensitivity(canvas: Canvas, coil: Coil, setup: Setup) -> NDArray[np.float32]:
    """Return the sensitivity of a surface coil behind the back: it loses the front of the body."""
    grid = canvas.grid
    x, y, z = (axis[:, :, :: grid.sub_slices] if axis.shape[2] > 1 else axis for axis in grid.points())
    depth = np.maximum(y - coil.back(z), 0.0) / setup.coil_depth_mm
    ends = ((z - coil.middle_z) / coil.reach_mm) ** 2
    sensitivity = 1.35 * np.exp(-(depth**2.2) * 0.5 - ends) * np.exp(-((x / 190.0) ** 2))
    return np.asarray(np.clip(sensitivity, 0.0, 1.0), dtype=np.float32)
