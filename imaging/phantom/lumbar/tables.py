"""Norms of the lumbar phantom (``configs/phantom/lumbar.yaml``) as typed rows; unknown keys are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imaging.phantom.tables import BodyRow, load_region


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
    return load_region(
        "lumbar", Tables, changes, rows={"vertebrae": BodyRow, "discs": DiscRow, "prevalence": PrevalenceRow}
    )
