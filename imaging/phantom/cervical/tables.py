"""Norms of the cervical phantom (``configs/phantom/cervical.yaml``) as typed rows; unknown keys fail."""

from collections.abc import Mapping
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
    """Norm of a disc: middle height and its spread in mm, lower limit of normal (None: unpublished)."""

    height: float
    sd: float
    lower: float | None


@dataclass(frozen=True)
class PrevalenceRow:
    """Counts of findings among ``n`` discs of a level."""

    n: int
    pfirrmann: list[int]
    narrowing: int
    bulging: int
    herniation: int
    slip: int
    osteophyte: int
    canal: list[int]
    foramen: list[int]


@dataclass(frozen=True)
class Tables:
    """Everything in ``cervical.yaml``; see the comments there for units and sources."""

    version: str
    people: dict[str, Any]
    vertebrae: dict[str, BodyRow]
    uncus: dict[str, float]
    height_sd: float
    depth_sd: float
    discs: dict[str, DiscRow]
    curvature: dict[str, Any]
    canal: dict[str, Any]
    prevalence: dict[str, PrevalenceRow]
    copula: dict[str, float]
    myelopathy_share: float
    distractors: dict[str, float]
    forward_slip_share: float
    rules: dict[str, Any]

    def by_level(self, name: str) -> NDArray[np.float64]:
        """Spread a table of ``canal`` over all discs, head to foot: linear between rows, constant past them."""
        names, table = list(self.discs), self.canal[name]
        known = [names.index(level) for level in table]
        return np.asarray(np.interp(np.arange(len(names)), known, list(table.values())))


def load_tables(changes: Mapping[str, Any] | None = None) -> Tables:
    """Read the tables of the cervical phantom.

    Args:
        changes: Values to replace, by nested key, for a population other than the norms'.

    Raises:
        ConfigError: If file or changes have unknown or missing keys.
    """
    file = phantom_file("cervical")
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
    return read_yaml(phantom_file("cervical"))
