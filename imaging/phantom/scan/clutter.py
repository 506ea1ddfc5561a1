"""Clutter in soft tissue, for training: patches turn into another tissue. Labelled structures stay as they are.

A network that has seen plain muscle and fat only takes every streak of a real back for bone.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.scan.texture import Painted, smooth_field
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.tissues import Palette
from runtime.errors import ConfigError

Range = tuple[float, float]


@dataclass(frozen=True)
class ClutterTable:
    """The ``clutter`` part of ``configs/phantom/contrast.yaml``, where it is explained."""

    chance: float
    layers: tuple[int, int]
    size_mm: Range
    stretch: Range
    cut: Range
    of: tuple[str, ...]
    into: tuple[str, ...]


@cache
def load_clutter_table() -> ClutterTable:
    """Return the table.

    Raises:
        ConfigError: If it has unknown or missing keys.
    """
    rows = read_yaml(phantom_file("contrast"))["clutter"]
    try:
        table: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in rows.items()
        }
        return ClutterTable(**table)
    except TypeError as error:
        raise ConfigError(f"contrast.yaml: clutter: unknown or missing keys: {error}") from error


def with_clutter(painted: Painted, palette: Palette, rng: np.random.Generator) -> Painted:
    """Return the painted grid with patches of its soft tissue turned into other tissues, or as it was by chance.

    Args:
        painted: Its canvas, and so its label map, is kept.
        palette: Numbers of the tissues.
        rng: Draws.
    """
    table = load_clutter_table()
    if rng.uniform() >= table.chance:
        return painted
    free = _free(painted, palette, table)
    numbers = painted.numbers.copy()
    pixel = float(np.linalg.norm(painted.canvas.grid.affine[:3, 0]))
    for _ in range(int(rng.integers(table.layers[0], table.layers[1] + 1))):
        size, stretch = rng.uniform(*table.size_mm) / pixel, rng.uniform(*table.stretch)
        smoothness = (size, size * stretch) if rng.uniform() < 0.5 else (size * stretch, size)
        field = smooth_field((free.shape[0], free.shape[1], free.shape[2]), smoothness, rng)
        patch = free & (field > rng.uniform(*table.cut))
        tissue = palette.number(str(rng.choice(table.into)))
        numbers = np.where(patch[:, None], np.uint8(tissue), numbers)
    return replace(painted, numbers=numbers)


def _free(painted: Painted, palette: Palette, table: ClutterTable) -> NDArray[np.bool_]:
    """Return where (K, I, J) a slice is soft tissue all through, without a label."""
    is_soft = np.zeros(256, dtype=bool)
    is_soft[[palette.number(name) for name in table.of if name in palette.names]] = True
    soft = is_soft[painted.numbers].all(axis=1)
    return np.asarray(soft & (painted.canvas.labels().transpose(2, 0, 1) == 0))
