"""Fine structure of tissues: grain and streaks of fat. It belongs to the patient, so series share it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from imaging.phantom.canvas import Canvas
from imaging.phantom.scan.slices import slice_major
from imaging.phantom.tissues import Palette
from imaging.types import FloatVolume

# Fat of paraspinal muscle is 0.16 on average, between 12 % under and 19 % over 38 y (PMC7063279): some of it
# everywhere, the rest in thin branching sheets, which are where a smooth field passes zero. Own choice of both.
_FAT_EVERYWHERE = 0.06
_FAT_IN_SHEETS = 0.65
_SHEET_WIDTH = 0.5  # of the field's standard deviation; own choice
_PATCH = 3.0  # size of the regions with many sheets, in bundles; own choice
_FINE_MM = 0.7  # own choice, as the next three
_COARSE_MM = 2.5
_BUNDLE_MM = 1.5  # size of the bundles between sheets of fat
_ALONG_MM = 6.0  # along the muscles, which run up the body
_PATTERNS = 4  # different ones for the slices of a volume
_NEIGHBOUR = 0.35  # how much of a slice's structure is seen in the next; own choice
_FINE, _COARSE = 0.6, 0.8  # their shares in the grain; own choice


@dataclass(frozen=True)
class Painted:
    """A painted grid ready for scanning: what all its series share.

    Attributes:
        canvas: Tissues and labels.
        numbers: (K, S, I, J) tissue numbers.
        gain: (K, I, J) factor of the grain, 1 on average.
        streak: (K, I, J) share of the tissue that sheets of fat replace.
    """

    canvas: Canvas
    numbers: NDArray[np.uint8]
    gain: FloatVolume
    streak: FloatVolume


def prepare(canvas: Canvas, palette: Palette, *, seed: tuple[int, int]) -> Painted:
    """Return a painted canvas with its fine structure."""
    rng = np.random.default_rng(seed)
    numbers = slice_major(canvas)
    shape = (numbers.shape[0], numbers.shape[2], numbers.shape[3])
    middle = numbers[:, numbers.shape[1] // 2]
    pixel = float(np.linalg.norm(canvas.grid.affine[:3, 0]))
    gain = _FINE * _fine_field(shape, _FINE_MM / pixel, rng)
    gain += _COARSE * smooth_field(shape, (_COARSE_MM / pixel, _COARSE_MM / pixel), rng)
    gain *= _by_tissue(palette.textures(), middle)
    gain += 1.0
    size = tuple(_ALONG_MM if abs(canvas.grid.affine[2, axis]) > 0.7 * pixel else _BUNDLE_MM for axis in (0, 1))
    sheets = sheet_field(shape, (size[0] / pixel, size[1] / pixel), rng)
    gain -= _by_tissue(palette.septa(), middle) * sheets
    streak = (_FAT_EVERYWHERE + _FAT_IN_SHEETS * sheets) * _by_tissue(palette.fat_shares(), middle)
    np.clip(streak, 0.0, 0.95, out=streak)
    return Painted(canvas=canvas, numbers=numbers, gain=gain, streak=streak)


def sheet_field(
    shape: tuple[int, int, int], smoothness: tuple[float, float], rng: np.random.Generator
) -> FloatVolume:
    """Return thin branching lines (K, I, J), up to 1 in their middle, 0 beside them, stronger in some places.

    Arguments as of ``smooth_field``; their mean over the picture is about 0.16.
    """
    field = smooth_field(shape, smoothness, rng)
    field *= np.float32(1.0 / _SHEET_WIDTH)
    np.square(field, out=field)
    strength = smooth_field(shape, (_PATCH * smoothness[0], _PATCH * smoothness[1]), rng)
    strength += 0.5
    return np.asarray(np.clip(strength, 0.0, 1.0, out=strength) * np.exp(-field), dtype=np.float32)


def smooth_field(
    shape: tuple[int, int, int], smoothness: tuple[float, float], rng: np.random.Generator
) -> FloatVolume:
    """Return smooth noise (K, I, J) of mean 0 and standard deviation about 1.

    Slices are a few patterns that repeat at their borders, each cut at another place: cheap, and no two are alike.

    Args:
        shape: (K, I, J).
        smoothness: Standard deviation in pixels along i and j, at least 1.
        rng: Random numbers.
    """
    along_i, along_j = (_bumps(shape[axis + 1], smoothness[axis]) for axis in (0, 1))
    white = rng.standard_normal((min(shape[0], _PATTERNS), along_i.shape[1], along_j.shape[1]), dtype=np.float32)
    return _across_slices(_cut(np.matmul(np.matmul(along_i, white), along_j.T), shape[0], rng))


def _bumps(length: int, sigma: float) -> NDArray[np.float32]:
    """Return (length, points) Gaussian bumps a sigma apart on a ring, each row of unit length (variance kept)."""
    sigma = max(sigma, 1.0)
    points = np.arange(max(1, round(length / sigma))) * (length / max(1, round(length / sigma)))
    away = np.abs(np.arange(length)[:, None] - points)
    bumps = np.exp(-0.5 * (np.minimum(away, length - away) / sigma) ** 2)
    return np.asarray(bumps / np.linalg.norm(bumps, axis=1, keepdims=True), dtype=np.float32)


def _cut(patterns: FloatVolume, slices: int, rng: np.random.Generator) -> FloatVolume:
    """Return slices (K, I, J), each a pattern that starts at a place of its own."""
    if slices <= len(patterns):
        return patterns
    starts = rng.integers(0, patterns.shape[1:], size=(slices, 2))
    rolled = [np.roll(patterns[k % len(patterns)], start, axis=(0, 1)) for k, start in enumerate(starts)]
    return np.stack(rolled)


def _fine_field(shape: tuple[int, int, int], sigma: float, rng: np.random.Generator) -> FloatVolume:
    reach = np.arange(-2, 3)
    kernel = np.exp(-0.5 * (reach / max(sigma, 0.4)) ** 2).astype(np.float32)
    kernel /= np.linalg.norm(kernel)
    field = rng.standard_normal((min(shape[0], _PATTERNS), *shape[1:]), dtype=np.float32)
    for axis in (1, 2):
        field = correlate1d(field, kernel, axis=axis, mode="wrap")
    return _across_slices(_cut(field, shape[0], rng))


def _across_slices(field: FloatVolume) -> FloatVolume:
    """Let neighbouring slices share some of their structure; the variance is kept."""
    if len(field) < 2:
        return field
    mixed = field.copy()
    mixed[1:] += _NEIGHBOUR * field[:-1]
    mixed[1:] /= np.float32(np.hypot(1.0, _NEIGHBOUR))
    return mixed


def _by_tissue(values: NDArray[np.float32], numbers: NDArray[np.uint8]) -> FloatVolume:
    table = np.zeros(256, dtype=np.float32)
    table[: len(values)] = values
    return np.asarray(np.take(table, numbers), dtype=np.float32)
