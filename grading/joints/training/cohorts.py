"""Cohorts of made-up pelves (``configs/grading/sacroiliac_phantoms.yaml``), and how each patient is scanned."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from imaging.phantom.scan.scanners import draw_scanner
from imaging.phantom.setup import SeriesRow, Setup, load_setup
from imaging.phantom.tables import read_yaml
from runtime.errors import ConfigError
from runtime.paths import configs_dir
from runtime.records import as_record

FIRST_FROZEN_SEED = 900_000
"""Seeds from here on belong to the frozen test sets."""
_USUAL = "setup_sacroiliac"


@dataclass(frozen=True)
class Cohort:
    """Patients drawn alike."""

    name: str = ""
    """For people and part files."""
    first_seed: int = 0
    """Of the first patient."""
    count: int = 0
    """How many there are at most."""
    is_varied: bool = False
    """Whether scanner, grid and population vary from patient to patient."""
    is_natural: bool = False
    """Whether lesions are as common as the region's tables have them; probabilities are calibrated to these."""
    anatomy: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the region's tables, by nested key."""

    def __post_init__(self) -> None:
        if not 0 < self.first_seed <= self.first_seed + self.count <= FIRST_FROZEN_SEED:
            raise ConfigError(
                f"cohort {self.name}: expected seeds from 1 to below {FIRST_FROZEN_SEED} (frozen test sets), "
                f"got {self.first_seed!r} and {self.count!r} patients"
            )


@dataclass(frozen=True)
class CohortTable:
    """All cohorts, and what varied ones vary in.

    Attributes:
        version: Of the file.
        block: Patients of one stored part.
        field_mm: Width and height of the pictures.
        cohorts: In the order of the file.
        varied: Ranges.
    """

    version: str
    block: int
    field_mm: tuple[float, float]
    cohorts: tuple[Cohort, ...]
    varied: Mapping[str, Any]


@cache
def load_cohorts() -> CohortTable:
    """Read the table.

    Raises:
        ConfigError: If a key is unknown or a cohort reaches into the frozen seeds.
    """
    file = configs_dir() / "grading" / "sacroiliac_phantoms.yaml"
    rows = read_yaml(file)
    cohorts = tuple(as_record(Cohort, row, f"{file.name}: cohorts") for row in rows["cohorts"])
    wide, high = rows["field_mm"]
    return CohortTable(rows["version"], int(rows["block"]), (wide, high), cohorts, rows["varied"])


def setup_of(cohort: Cohort, seed: int) -> Setup:
    """Return how one patient is drawn and scanned; the same seed gives the same setup."""
    table = load_cohorts()
    setup = replace(load_setup(_USUAL), anatomy=dict(cohort.anatomy))
    if cohort.is_varied:
        setup = _varied(setup, table.varied, np.random.default_rng((seed, 41)))
    return replace(setup, series=tuple(_cropped(row, table.field_mm) for row in setup.series))


def _cropped(row: SeriesRow, field_mm: tuple[float, float]) -> SeriesRow:
    """Return a series whose pictures show the joints and little more: painting is what takes the time."""
    wide, high = field_mm
    return replace(row, cols=2 * round(wide / row.pixel / 2), rows=2 * round(high / row.pixel / 2))


def _varied(setup: Setup, table: Mapping[str, Any], rng: np.random.Generator) -> Setup:
    """Draw grid, scanner and population; series share the grid, each has its own timing."""
    spacing = float(rng.uniform(*table["spacing_mm"]))
    grid = {
        "pixel": float(rng.uniform(*table["pixel_mm"])),
        "spacing": spacing,
        "thickness": spacing * float(rng.uniform(*table["thickness"])),
        "slices": round(table["depth_mm"] / spacing),
    }
    scanner = setup
    rows = []
    for row in setup.series:
        drawn, scanner = draw_scanner(row, setup, rng, sequence=row.sequence)
        rows.append(replace(drawn, **grid))
    scanner = replace(
        scanner,
        noise_share=float(rng.uniform(*table["noise_share"])),
        coil_depth_mm=float(rng.uniform(*table["coil_depth_mm"])),
        anatomy={**_drawn(table["anatomy"], rng), **setup.anatomy},
    )
    inversion = table["inversion_ms"][scanner.field_strength_t]
    rows = [_with_inversion(row, float(rng.uniform(*inversion))) for row in rows]
    return replace(scanner, series=tuple(rows))


def _with_inversion(row: SeriesRow, inversion_ms: float) -> SeriesRow:
    return replace(row, ti=inversion_ms) if row.sequence == "stir" else row


def _drawn(table: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return a table in which every range (a list of two) is one number of it."""
    return {key: _drawn_value(value, rng) for key, value in table.items()}


def _drawn_value(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, Mapping):
        return _drawn(value, rng)
    return float(rng.uniform(*value)) if isinstance(value, list) else value
