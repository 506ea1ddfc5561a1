"""How good is one slice? Numbers for noise, blur, ghosts, saturation and the voids of metal, from pixels alone.

All are measured on grey values stretched so that the 1st and 99th percentile become 0 and 1; but for noise and
saturation, on the slice brought to ``SIDE`` pixels on its longer side, so that the matrix does not matter. They
are screening measures, not physics: a coil's shading, a saturation band and bowel gas are in every real spine, and
each measure is built to leave them alone. The bounds stand in ``configs/protocols/*.yaml``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 256
"""Pixels of the longer side on which most measures are taken; own choice."""
_STRUCTURE_LAG = 1 / 64
_LEAST_SHIFT = 0.05
"""Ghosts nearer than this share of the side run into the trabecular and nerve root texture; own choice."""
_VOID = 0.06
_PILE_UP = 0.92
_LEAST_VOID_PX = 40

Image = NDArray[np.float32]


@dataclass(frozen=True)
class ImageQuality:
    """What was measured on one slice.

    Attributes:
        is_flat: True when the 1st and 99th percentile are equal.
        grey_levels: Number of different values.
        structure: Least over both axes of the correlation of each pixel with the one 1/64 of the side away: near 0
            for noise, near 1 for a smooth picture.
        sparsity: Excess kurtosis of the fine band (difference of Gaussians, 1 and 1.6 pixels). Edges on even
            ground give large values; noise that was filtered linearly stays near 0, as sums of many independent
            values are Gaussian.
        sharpness: Standard deviation of the fine band over that of the slice.
        noise: Standard deviation of the noise over the grey range, from the Laplacian difference mask at the
            original pixels. Source: Immerkaer, Comput Vis Image Underst 64:300 (1996), with the median in place of
            the mean, which edges would raise.
        ghosting: Highest peak of the cepstrum along either axis: a copy of strength a at a shift adds about a/5 to
            a/4 there (measured on real slices with added copies). Source: Bogert, Healy, Tukey (1963), echoes.
        saturation: Share of pixels at the highest value.
        void: Largest dark region inside the body as a share of a square of ``SIDE``, times the share of its rim
            that is piled-up signal. Metal gives voids with bright rims; gas, vessels and bone hardly have one.
    """

    is_flat: bool
    grey_levels: int
    structure: float
    sparsity: float
    sharpness: float
    noise: float
    ghosting: float
    saturation: float
    void: float


def measure_quality(image: NDArray[np.generic]) -> ImageQuality:
    """Measure one slice.

    Args:
        image: (H, W) original pixels, finite, at least 8 x 8.
    """
    values = image.astype(np.float32)
    grey = _stretched(values)
    small = _to_side(grey)
    fine = _fine_band(small)
    low, high = np.percentile(values, (1, 99))
    return ImageQuality(
        is_flat=bool(high <= low),
        grey_levels=len(np.unique(values)),
        structure=structure_score(values),
        sparsity=_excess_kurtosis(fine),
        sharpness=float(fine.std() / small.std()) if small.std() > 0 else 0.0,
        noise=_noise(grey),
        ghosting=max(_echo(small, 0), _echo(small, 1)),
        saturation=float((values >= values.max()).mean()) if np.ptp(values) > 0 else 0.0,
        void=_void(np.clip(small, 0, 1)),
    )


def structure_score(image: NDArray[np.float32]) -> float:
    """Return how alike pixels a short way apart are: near 0 for noise, near 1 for a smooth picture.

    Args:
        image: (H, W) original pixels.

    Returns:
        Smallest over both axes of the correlation of each pixel with the one ``_STRUCTURE_LAG`` of the longer side
        away (at least 2 pixels). 0 when the slice has no contrast.
    """
    grey = np.clip(_stretched(image), 0, 1)
    lag = max(2, round(max(image.shape) * _STRUCTURE_LAG))
    return min(_correlation(grey[lag:], grey[:-lag]), _correlation(grey[:, lag:], grey[:, :-lag]))


def _correlation(first: Image, second: Image) -> float:
    if first.size == 0 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _stretched(values: Image) -> Image:
    """Stretch the 1st and 99th percentile to 0 and 1 without clipping, which would bend a noise's distribution."""
    low, high = np.percentile(values, (1, 99))
    if high <= low:
        low, high = values.min(), values.max()
    if high <= low:
        return np.zeros(values.shape, dtype=np.float32)
    return np.asarray((values - low) / (high - low), dtype=np.float32)


def _to_side(grey: Image) -> Image:
    factor = SIDE / max(grey.shape)
    smooth = ndimage.gaussian_filter(grey, 0.5 * (1 / factor - 1)) if factor < 1 else grey
    return np.asarray(ndimage.zoom(smooth, factor, order=1), dtype=np.float32)


def _fine_band(small: Image) -> Image:
    return np.asarray(ndimage.gaussian_filter(small, 1.0) - ndimage.gaussian_filter(small, 1.6), dtype=np.float32)


def _excess_kurtosis(values: Image) -> float:
    centred = values.astype(np.float64) - values.mean()
    variance = float((centred**2).mean())
    return float((centred**4).mean()) / variance**2 - 3 if variance > 0 else 0.0


def _noise(grey: Image) -> float:
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    residue = ndimage.convolve(grey, mask)
    # the mask multiplies a standard deviation by 6; 1.4826 times the median of the size is that deviation
    return float(1.4826 * np.median(np.abs(residue)) / 6)


def _echo(small: Image, axis: int) -> float:
    """Return the highest peak of the cepstrum along one axis beyond ``_LEAST_SHIFT``."""
    flat = small - ndimage.gaussian_filter(small, 8)
    window = np.hanning(flat.shape[0])[:, None] * np.hanning(flat.shape[1])[None]
    spectrum = np.log(np.abs(np.fft.fft2(flat * window)) + 1e-3).mean(axis=1 - axis)
    ripple = spectrum - ndimage.gaussian_filter1d(spectrum, 3, mode="wrap")
    cepstrum = np.abs(np.fft.ifft(ripple))
    count = len(cepstrum)
    return float(cepstrum[max(8, round(_LEAST_SHIFT * count)) : count // 2 + 1].max(initial=0.0))


def _void(small: Image) -> float:
    body = ndimage.binary_opening(ndimage.gaussian_filter(small, 3) > 2 * _VOID, iterations=2)
    inner = ndimage.binary_erosion(ndimage.binary_fill_holes(body), iterations=4)
    regions, _ = ndimage.label(ndimage.binary_opening((small < _VOID) & inner, iterations=2))
    sizes = np.bincount(regions.ravel())
    worst = 0.0
    for number in np.flatnonzero(sizes >= _LEAST_VOID_PX):
        if number:
            region = regions == number
            near = ndimage.binary_dilation(region, iterations=1)
            rim = ndimage.binary_dilation(near, iterations=4) & ~near
            worst = max(worst, float(sizes[number] * (small[rim] > _PILE_UP).mean()))
    return worst / SIDE**2
