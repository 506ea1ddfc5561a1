"""Fine structure of tissues: grain and streaks of fat. It belongs to the patient, so series share it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter, map_coordinates

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.scan.slices import slice_major
from imaging.phantom.tissues import Palette
from imaging.types import FloatVolume

# Fat of paraspinal muscle is 0.16 on average, between 12 % under and 19 % over 38 y (PMC7063279): some of it
# everywhere, the rest in thin sheets along the fibres, which are where a smooth field passes zero. Own choice.
_FAT_EVERYWHERE = 0.06
_FAT_IN_SHEETS = 0.72
_SHEET_WIDTH = 0.4  # of the field's standard deviation; own choice
_PATCH_MM = 6.0  # size of the regions with many sheets; own choice
# Direction of the fibres in a slice, degrees from the horizontal, seen on the patient's right; the left is its
# mirror image. Up the back in sagittal slices, as in erector spinae; own choice.
_FIBRES = {"sagittal": 82.0, "axial": 60.0, "coronal": -50.0}
_ALONG_MM, _ACROSS_MM = 7.0, 1.5  # size of the bundles between sheets; own choice
_DRIFT = 2.0  # from one slice to the next, samples of the tile
_TILE, _TILE_SIGMA = 256, 3.0  # samples of the pattern that sheets are cut from, and its smoothness in them
_FINE_MM = 0.7  # own choice, as the next three
_COARSE_MM = 2.5
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
    sheets = sheet_field(canvas.grid, rng)
    gain -= _by_tissue(palette.septa(), middle) * sheets
    streak = (_FAT_EVERYWHERE + _FAT_IN_SHEETS * sheets) * _by_tissue(palette.fat_shares(), middle)
    np.clip(streak, 0.0, 0.95, out=streak)
    return Painted(canvas=canvas, numbers=numbers, gain=gain, streak=streak)


def sheet_field(grid: Grid, rng: np.random.Generator) -> FloatVolume:
    """Return thin lines (K, I, J) along the fibres, up to 1 in their middle, 0 beside them, more in some places.

    Their mean is about 0.136: the mean of exp(-(f / width)^2) of a normal f is width / sqrt(width^2 + 2), and half
    of it is left by the places.
    """
    shape = (grid.shape[2], grid.shape[0], grid.shape[1])
    tile = gaussian_filter(rng.standard_normal((_TILE, _TILE), dtype=np.float32), _TILE_SIGMA, mode="wrap")
    tile /= tile.std() * _SHEET_WIDTH
    along, across, is_left = _fibre_coordinates(grid)
    # Each slice is cut near the place of the one before; the left from elsewhere, so that it is no copy.
    starts = rng.uniform(0.0, _TILE, (1, 2, 2)) + rng.normal(0.0, _DRIFT, (shape[0], 2, 2)).cumsum(axis=0)
    lines = np.empty(shape, dtype=np.float32)
    for k, (right, left) in enumerate(starts.astype(np.float32)):
        place = [along + np.where(is_left, left[0], right[0]), across + np.where(is_left, left[1], right[1])]
        map_coordinates(tile, place, output=lines[k], order=1, mode="grid-wrap")
    np.exp(-np.square(lines, out=lines), out=lines)
    pixel = float(np.linalg.norm(grid.affine[:3, 0]))
    strength = smooth_field(shape, (_PATCH_MM / pixel, _PATCH_MM / pixel), rng)
    strength += 0.5
    lines *= np.clip(strength, 0.0, 1.0, out=strength)
    return lines


def _fibre_coordinates(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return where pixels (I, J) lie along and across the fibres, in samples of the tile, and which are left."""
    x, y, z = (
        np.broadcast_to(axis[:, :, :1], (grid.shape[0], grid.shape[1], 1))[:, :, 0] for axis in grid.points()
    )
    through = int(np.argmax(np.abs(grid.affine[:3, 2])))
    flat, up = ((y, z), (np.abs(x), z), (np.abs(x), y))[through]
    angle = np.deg2rad(_FIBRES[("sagittal", "coronal", "axial")[through]])
    along = (np.cos(angle) * flat + np.sin(angle) * up) * (_TILE_SIGMA / _ALONG_MM)
    across = (np.cos(angle) * up - np.sin(angle) * flat) * (_TILE_SIGMA / _ACROSS_MM)
    is_left = np.zeros(x.shape, dtype=bool) if through == 0 else x < 0.0
    return along.astype(np.float32), across.astype(np.float32), is_left


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
