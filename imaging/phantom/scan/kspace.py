"""What the way of measuring lines does to a slice: chemical shift, blur of the echo train, ringing, filters.

All of it is a product in k-space, apart for water and fat, on images (K, I, J) of one sign or the other. Space
wraps round at the borders of the field, as it does in a scanner.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2, rfftfreq

from imaging.phantom.scan.signal import fat_shift_pixels
from imaging.phantom.scan.values import TissueValues
from imaging.phantom.setup import SeriesRow
from imaging.phantom.tissues import train_fat_t2
from imaging.types import FloatVolume

_WATER_T2_MS = 80.0  # one T2 for the blur of all water: between muscle (34) and discs (50-210); own choice


def echo_decay(radius: NDArray[np.float64], row: SeriesRow, t2: float) -> NDArray[np.float64]:
    """Return how strongly lines are measured, relative to the middle of k-space.

    The echo at the effective echo time fills the middle; echoes nearest to it in time fill the bands next to it,
    on one side earlier ones, on the other later. The mean of both sides is returned: their difference only turns
    the phase, which a magnitude picture does not show.

    Args:
        radius: Distance of a line from the middle of k-space, 0 to 1 (outermost line).
        row: Echo time, train and its spacing.
        t2: Decay, ms.

    Source: general knowledge of linear and centred ordering of fast spin echo.
    """
    if row.turbo == 1 or row.echo_spacing == 0:
        return np.ones_like(radius)
    echoes = row.echo_spacing * np.arange(1, row.turbo + 1)
    delay = echoes - echoes[np.argmin(np.abs(echoes - row.te))]
    outwards = delay[np.argsort(np.abs(delay), kind="stable")]
    weight = np.exp(-outwards / t2)
    pairs = [float(weight[0]), *(float(weight[n : n + 2].mean()) for n in range(1, len(weight), 2))]
    return np.asarray(np.interp(radius, np.linspace(0.0, 1.0, len(pairs)), np.array(pairs)))


def measure_lines(
    water: FloatVolume, fat: FloatVolume, row: SeriesRow, values: TissueValues, *, field_strength_t: float
) -> FloatVolume:
    """Return the signed sum (K, I, J) of water and displaced fat after blur and ringing.

    Args:
        water: (K, I, J) signed signal of water.
        fat: (K, I, J) signed signal of fat.
        row: How the series is taken.
        values: For the decay of fat.
        field_strength_t: Tesla.
    """
    shape = (water.shape[1], water.shape[2])
    fat_t2 = train_fat_t2(values.fat_t2, row.turbo)
    shift = fat_shift_pixels(field_strength_t=field_strength_t, bandwidth=row.bandwidth)
    spectrum = rfft2(water) * _filter(shape, row, _WATER_T2_MS, 0.0)
    spectrum += rfft2(fat) * _filter(shape, row, fat_t2, shift)
    return np.asarray(irfft2(spectrum, s=shape), dtype=np.float32)


def _filter(shape: tuple[int, int], row: SeriesRow, t2: float, shift: float) -> NDArray[np.complex64]:
    """Return the (I, J // 2 + 1) factor of k-space; fat moves towards smaller indices of the read axis."""
    frequencies = [np.fft.fftfreq(shape[0]), rfftfreq(shape[1])]  # cycles a pixel
    factors = [np.exp(-0.5 * (2.0 * np.pi * row.blur * k) ** 2).astype(complex) for k in frequencies]
    phase = 0 if row.phase == "i" else 1
    radius = 2.0 * np.abs(frequencies[phase])
    measured = radius <= row.acquired + 1e-9
    factors[phase] *= measured * echo_decay(np.minimum(radius / row.acquired, 1.0), row, t2)
    factors[1 - phase] *= np.exp(2j * np.pi * frequencies[1 - phase] * shift)
    return np.asarray(factors[0][:, None] * factors[1][None, :], dtype=np.complex64)
