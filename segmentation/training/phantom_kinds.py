"""Kinds of phantom slices: region, plane and grids (``configs/segmentation/phantom_slices.yaml``).

A patient gives one run of neighbouring slices, at any place of the stack that its region's scan covers, so that a
network that reads a slice with its neighbours finds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from imaging.phantom.build import paint_grid
from imaging.phantom.canvas import Canvas
from imaging.phantom.draws import PaintedPatient
from imaging.phantom.scan.texture import prepare
from imaging.phantom.scene import Coil, Scene, Truth, build_scene
from imaging.phantom.setup import SeriesRow, load_setup
from imaging.phantom.tables import read_yaml
from imaging.phantom.tissues import Palette
from imaging.types import AffineMatrix
from runtime.errors import ConfigError
from runtime.paths import configs_dir

Range = tuple[float, float]


@dataclass(frozen=True)
class PhantomKind:
    """One kind of phantom slices; the fields are explained in the YAML file.

    Attributes:
        name: Such as ``phantom_axial``.
        series: Protocol, and role of the series in its usual setup.
        side: Long side, as a share of the canonical grid's.
        field_mm: Field of view along the long side, mm.
        shape: Columns over rows.
        extent_mm: Where the run may lie, mm about the middle of the stack; None the usual stack.
        middle: Chance that it lies about the middle.
        spacing_mm: Between the slices, mm.
        thickness: Of a slice, as a share of the spacing.
        points: Levels whose points are known near the middle.
    """

    name: str
    series: tuple[str, str]
    side: float
    field_mm: Range
    shape: tuple[float, ...]
    extent_mm: float | None
    middle: float
    spacing_mm: Range
    thickness: Range
    points: tuple[str, ...]

    @property
    def protocol(self) -> str:
        """Return the body region."""
        return self.series[0]


def phantom_kind(name: str) -> PhantomKind:
    """Return a kind by name.

    Raises:
        ConfigError: If there is none of this name.
    """
    kinds = _table()["kinds"]
    if name not in kinds:
        raise ConfigError(f"phantom slices: kind: expected one of {', '.join(kinds)}, got {name!r}")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in kinds[name].items()
    }
    return PhantomKind(name, **values)


def kinds_version() -> str:
    """Return the version of the file."""
    return str(_table()["version"])


def paint_run(kind: PhantomKind, seed: int, slices: int, long_side_px: int) -> PaintedPatient:
    """Paint a run of neighbouring slices of a patient on a grid by chance.

    Args:
        kind: Region and plane.
        seed: Of the patient and the grid.
        slices: How many; fewer when the stack has fewer.
        long_side_px: Long side of the canonical grid, pixels.
    """
    rng = np.random.default_rng((seed, 90))
    palette, setup = Palette(), load_setup(f"setup_{kind.protocol}")
    scene = build_scene(setup, seed=seed, palette=palette)
    row = _draw_row(kind, long_side_px, rng)
    stack = scene.grid(row)[1][2]
    count = min(slices, stack)
    place = 0.5 if rng.random() < kind.middle else rng.random()
    run = _SceneRun(scene, round(place * (stack - count)), count)
    return PaintedPatient(
        seed, row, setup, run, palette, prepare(paint_grid(run, row, setup), palette, seed=(seed, 6))
    )


def _draw_row(kind: PhantomKind, long_side_px: int, rng: np.random.Generator) -> SeriesRow:
    """Draw the grid of a whole stack."""
    usual = next(row for row in load_setup(f"setup_{kind.protocol}").series if row.role == kind.series[1])
    side = 16 * round(kind.side * long_side_px / 16)
    shape = float(rng.choice(kind.shape))
    spacing = float(rng.uniform(*kind.spacing_mm))
    return replace(
        usual,
        rows=16 * round(side / max(1.0, shape) / 16),
        cols=16 * round(side * min(1.0, shape) / 16),
        pixel=float(rng.uniform(*kind.field_mm)) / side,
        slices=0 if kind.extent_mm is None else 1 + round(kind.extent_mm / spacing),
        spacing=spacing,
        thickness=spacing * float(rng.uniform(*kind.thickness)),
    )


@dataclass(frozen=True)
class _SceneRun:
    """A scene of which only some neighbouring slices are scanned."""

    scene: Scene
    first: int
    count: int

    @property
    def version(self) -> str:
        return self.scene.version

    @property
    def sex(self) -> str:
        return self.scene.sex

    @property
    def age_years(self) -> int:
        return self.scene.age_years

    def paint(self, canvas: Canvas) -> None:
        self.scene.paint(canvas)

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        affine, shape = self.scene.grid(row)
        moved = affine.copy()
        moved[:3, 3] += self.first * affine[:3, 2]
        return moved, (shape[0], shape[1], self.count)

    def coil(self) -> Coil:
        return self.scene.coil()

    def measure(self) -> Truth:
        return self.scene.measure()


@cache
def _table() -> Mapping[str, Any]:
    return read_yaml(configs_dir() / "segmentation" / "phantom_slices.yaml")
