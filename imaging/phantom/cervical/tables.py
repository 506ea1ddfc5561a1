"""Norms of the cervical phantom (``configs/phantom/cervical.yaml``) as typed rows; unknown keys fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tables import BodyRow, by_level, load_region


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
        return by_level(self.canal[name], list(self.discs))


def load_tables(changes: Mapping[str, Any] | None = None) -> Tables:
    """Read the tables of the cervical phantom.

    Args:
        changes: Values to replace, by nested key, for a population other than the norms'.

    Raises:
        ConfigError: If file or changes have unknown or missing keys.
    """
    return load_region(
        "cervical", Tables, changes, rows={"vertebrae": BodyRow, "discs": DiscRow, "prevalence": PrevalenceRow}
    )
