"""Any contrast on the same anatomy: every family of tissues gets a signal by chance (``contrast.yaml``).

For training a segmentation that holds across sequences. The label map stays as it is; tissues of one structure,
such as nucleus and annulus, may differ inside it. Paint once, then draw as many
contrasts as wanted (``imaging.phantom.draws``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, zoom

from imaging.phantom.scan.coil import rician
from imaging.phantom.scan.slices import mean_slices, volume
from imaging.phantom.scan.texture import Painted, smooth_field
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.tissues import Palette
from imaging.types import FloatVolume
from runtime.errors import ConfigError

_WHITE = 1000.0
_LEVEL_NAME = re.compile(r"_[CTLS]\d.*$")

Range = tuple[float, float]


@dataclass(frozen=True)
class ContrastTable:
    """Ranges of ``configs/phantom/contrast.yaml``, where they are explained."""

    version: str
    signal: Range
    member_spread: Range
    grain: Range
    streak: Range
    dark_chance: float
    dark_families: tuple[str, ...]
    dark_signal: Range
    bias: Range
    bias_reach: float
    gamma_log: float
    blur_px: Range
    coarse_chance: float
    coarse: Range
    noise: Range


@cache
def load_contrast_table() -> ContrastTable:
    """Return the ranges.

    Raises:
        ConfigError: If the file has unknown or missing keys.
    """
    rows = read_yaml(phantom_file("contrast"))
    try:
        rows.pop("clutter")  # of imaging.phantom.scan.clutter
        dark, bias, coarse = (rows.pop(key) for key in ("dark", "bias", "coarse"))
        flat: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in rows.items()
        }
        return ContrastTable(
            **flat,
            dark_chance=dark["chance"],
            dark_families=tuple(dark["families"]),
            dark_signal=tuple(dark["signal"]),
            bias=tuple(bias["strength"]),
            bias_reach=bias["reach"],
            coarse_chance=coarse["chance"],
            coarse=tuple(coarse["factor"]),
        )
    except (TypeError, KeyError) as error:
        raise ConfigError(f"contrast.yaml: unknown or missing keys: {error}") from error


def _as_range(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def family_of(tissue: str) -> str:
    """Return the family of a tissue: its name without the level, as ``marrow`` of ``marrow_L3``."""
    return _LEVEL_NAME.sub("", tissue)


def random_contrast(painted: Painted, palette: Palette, *, seed: tuple[int, ...]) -> FloatVolume:
    """Return one volume (I, J, K) of random contrast, whole numbers from 0 to about 1000."""
    table = load_contrast_table()
    rng = np.random.default_rng((*seed, 77))
    signals = draw_signals(palette, table, rng)
    image = mean_slices(signals, painted.numbers, "gaussian")
    towards_fat = painted.streak * np.float32(rng.uniform(*table.streak))
    image += towards_fat * (signals[palette.number("fat")] - image)
    image *= 1.0 + (painted.gain - 1.0) * np.float32(rng.uniform(*table.grain))
    image *= _bias(image.shape, table, rng)
    image = np.clip(image, 0.0, None) ** np.float32(np.exp(rng.normal(0.0, table.gamma_log)))
    image = _coarsen(_blur(image, table, rng), table, rng)
    image = rician(image, float(rng.uniform(*table.noise)), rng)
    image *= _WHITE
    return volume(np.rint(image, out=image))


def draw_signals(palette: Palette, table: ContrastTable, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the signal (N,) of every tissue by number, from 0 to 1."""
    families: Mapping[str, float] = {
        family: float(rng.uniform(*_signal_range(family, table, rng)))
        for family in dict.fromkeys(family_of(name) for name in palette.names)
    }
    spread = rng.uniform(*table.member_spread)
    base = np.array([families[family_of(name)] for name in palette.names])
    return np.asarray(np.clip(base * (1.0 + spread * rng.standard_normal(len(base))), 0.0, 1.0), np.float32)


def _signal_range(family: str, table: ContrastTable, rng: np.random.Generator) -> Range:
    is_dark = family in table.dark_families and rng.uniform() < table.dark_chance
    return table.dark_signal if is_dark else table.signal


def _bias(shape: tuple[int, ...], table: ContrastTable, rng: np.random.Generator) -> FloatVolume:
    """Return a smooth positive field (1, I, J) of mean about 1."""
    reach = (shape[1] * table.bias_reach, shape[2] * table.bias_reach)
    field = smooth_field((1, shape[1], shape[2]), reach, rng)
    return np.asarray(np.exp(np.float32(rng.uniform(*table.bias)) * field), dtype=np.float32)


def _blur(image: FloatVolume, table: ContrastTable, rng: np.random.Generator) -> FloatVolume:
    for axis in (1, 2):
        image = gaussian_filter1d(image, rng.uniform(*table.blur_px), axis=axis, mode="nearest")
    return image


def _coarsen(image: FloatVolume, table: ContrastTable, rng: np.random.Generator) -> FloatVolume:
    """Measure with fewer pixels along one axis, sometimes, and enlarge again."""
    if rng.uniform() >= table.coarse_chance:
        return image
    axis, factor = int(rng.integers(1, 3)), rng.uniform(*table.coarse)
    shrink = [1.0, 1.0, 1.0]
    shrink[axis] = 1.0 / factor
    small = zoom(image, shrink, order=1, grid_mode=True, mode="nearest")
    grow = [1.0, 1.0, 1.0]
    grow[axis] = image.shape[axis] / small.shape[axis]
    return np.asarray(zoom(small, grow, order=1, grid_mode=True, mode="nearest"), dtype=np.float32)
