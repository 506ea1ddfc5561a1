"""Norms of the lumbar phantom (``configs/phantom/lumbar.yaml``) as typed rows; unknown keys are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tables import changed, phantom_file, read_yaml
from runtime.errors import ConfigError


@dataclass(frozen=True)
class BodyRow:
    """Norm of a vertebral body in mm; ``wedge`` in degrees, positive when taller in front."""

    height: float
    depth: float
    width: float
    wedge: float


@dataclass(frozen=True)
class DiscRow:
    """Norm of a disc: middle height and its spread, limits of the reference range (None: unpublished), wedge."""

    height: float
    sd: float
    lower: float | None
    upper: float | None
    wedge: float


@dataclass(frozen=True)
class PrevalenceRow:
    """Counts of gradings among ``n`` discs of a level."""

    n: int
    pfirrmann: list[int]
    narrowing: int
    bulging: int
    herniation: int
    slip: int
    modic: list[int]
    upper_endplate: int
    lower_endplate: int


@dataclass(frozen=True)
class Tables:
    """Everything in ``lumbar.yaml``; see the comments there for units and sources."""

    version: str
    people: dict[str, Any]
    posture: dict[str, Any]
    transitional: dict[str, Any]
    vertebrae: dict[str, BodyRow]
    fracture: dict[str, Any]
    haemangioma: dict[str, Any]
    height_sd: float
    depth_sd: float
    discs: dict[str, DiscRow]
    canal: dict[str, Any]
    facets: dict[str, Any]
    sacrum: dict[str, Any]
    sacrum_segments: dict[str, list[float]]
    lumbarised_segments: dict[str, list[float]]
    prevalence: dict[str, PrevalenceRow]
    rsna_canal: dict[str, list[int]]
    rsna_foramen: dict[str, list[int]]
    rsna_subarticular: dict[str, list[int]]
    morphology: dict[str, Any]
    copula: dict[str, float]
    rules: dict[str, Any]


def load_tables(changes: Mapping[str, Any] | None = None) -> Tables:
    """Read the tables of the lumbar phantom.

    Args:
        changes: Values to replace, by nested key, for a population other than the norms'.

    Raises:
        ConfigError: If file or changes have unknown or missing keys.
    """
    file = phantom_file("lumbar")
    rows = changed(_table(), changes or {}, name=file.name)
    try:
        rows["vertebrae"] = {name: BodyRow(**row) for name, row in rows["vertebrae"].items()}
        rows["discs"] = {name: DiscRow(**row) for name, row in rows["discs"].items()}
        rows["prevalence"] = {name: PrevalenceRow(**row) for name, row in rows["prevalence"].items()}
        return Tables(**rows)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file.name}: unknown or missing keys: {error}") from error


@cache
def _table() -> dict[str, Any]:
    return read_yaml(phantom_file("lumbar"))


def by_level(table: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    """Spread a table by level over names, cranial to caudal; between rows linear, past the ends constant."""
    known = [(names.index(name), value) for name, value in table.items() if name in names]
    index, values = zip(*sorted(known), strict=True)
    return np.asarray(np.interp(np.arange(len(names)), index, values))
