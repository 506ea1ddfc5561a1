"""Faults of a measurement: motion, breathing, pulsation of the CSF. Severities are in ``Setup.artefacts``."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, fftfreq, ifft2

from imaging.phantom.scan.texture import smooth_field
from imaging.phantom.setup import SeriesRow
from imaging.types import FloatVolume

_GHOSTS = (1.0, 0.45)  # first and second copy; own choice
_BREATH_SHARE = 0.17  # ghost distance over the field of view: breaths within the time of measuring; own choice
_PULSE_SHARE = 0.29  # the same for the heart; own choice
_VOID_PIXELS = 5.0  # size of the patches where turbulent CSF loses its signal; own choice


def ghosts(moving: FloatVolume, amount: float, *, axis: int, distance_share: float) -> FloatVolume:
    """Return what a periodic change of a signal sends along phase encoding: copies to both sides, less of itself.

    Args:
        moving: (K, I, J) signal of what changes.
        amount: Share of it that leaves its place.
        axis: Phase-encoding axis of the images, 1 or 2.
        distance_share: Of the first copy, a share of the field of view.

    Returns:
        (K, I, J) to be added; its sum over a slice is 0, as the periodic change has mean 0.
    """
    step = round(moving.shape[axis] * distance_share)
    total = 2.0 * sum(_GHOSTS)
    change = -moving
    for number, strength in enumerate(_GHOSTS, start=1):
        for sign in (-1, 1):
            change = change + (strength / total) * np.roll(moving, sign * number * step, axis=axis)
    return np.asarray(amount * change, dtype=np.float32)


def breathing_ghosts(image: FloatVolume, front: FloatVolume, row: SeriesRow, amount: float) -> FloatVolume:
    """Return the ghosts of the front of the body; ``front`` (broadcasts to (K, I, J)) says how much it moves."""
    return ghosts(image * front, amount, axis=phase_axis(row), distance_share=_BREATH_SHARE)


def flow_change(csf: FloatVolume, row: SeriesRow, amount: float, rng: np.random.Generator) -> FloatVolume:
    """Return the change by pulsating CSF: ghosts, and patches where turbulence leaves no signal.

    Args:
        csf: (K, I, J) signal of CSF.
        row: Phase-encoding axis.
        amount: Share of the signal of CSF that pulsates.
        rng: Where it is turbulent.
    """
    turbulent = np.clip(smooth_field(_shape(csf), (_VOID_PIXELS, _VOID_PIXELS), rng) - 0.6, 0.0, 1.0)
    lost = -amount * turbulent * csf
    return np.asarray(lost + ghosts(csf, 0.3 * amount, axis=phase_axis(row), distance_share=_PULSE_SHARE))


def move(
    image: FloatVolume, row: SeriesRow, motion_mm: float, *, pixel: float, rng: np.random.Generator
) -> FloatVolume:
    """Return the magnitude of images of which each train of echoes was measured with the patient elsewhere.

    A train measures one line of each band of k-space; the middle line is measured with the patient in place.

    Args:
        image: (K, I, J) signed signal.
        row: Phase-encoding axis and echo train.
        motion_mm: Standard deviation of the place in the plane, mm.
        pixel: mm.
        rng: Where the patient goes.
    """
    axis = phase_axis(row)
    lines = image.shape[axis]
    trains = -(-lines // row.turbo)
    walk = rng.standard_normal((2, len(image), trains)).cumsum(axis=2)
    walk -= walk.mean(axis=2, keepdims=True)
    walk *= motion_mm / pixel / np.maximum(walk.std(axis=2, keepdims=True), 1e-6)
    place = walk[:, :, np.arange(lines) % trains]  # lines in fftshift order
    place -= place[:, :, lines // 2][:, :, None]
    along_phase, along_read = np.fft.ifftshift(place, axes=2)
    spectrum = fft2(image)
    spectrum *= _displaced(along_phase, along_read, image.shape, axis)
    return np.asarray(np.abs(ifft2(spectrum)), dtype=np.float32)


def phase_axis(row: SeriesRow) -> int:
    """Return the phase-encoding axis of images (K, I, J)."""
    return 1 if row.phase == "i" else 2


def _displaced(
    along_phase: NDArray[np.float64], along_read: NDArray[np.float64], shape: tuple[int, ...], axis: int
) -> NDArray[np.complex64]:
    """Return the factor of k-space (K, I, J) of displacements (K, lines) in pixels."""
    phase, read = fftfreq(shape[axis]), fftfreq(shape[3 - axis])
    turn = (along_phase * phase)[:, :, None] + along_read[:, :, None] * read
    factor = np.exp(-2j * np.pi * turn).astype(np.complex64)
    return np.asarray(factor if axis == 1 else factor.transpose(0, 2, 1))


def _shape(image: FloatVolume) -> tuple[int, int, int]:
    return image.shape[0], image.shape[1], image.shape[2]
