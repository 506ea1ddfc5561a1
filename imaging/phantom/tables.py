"""The phantom's tables (``configs/phantom/*.yaml``), read into typed rows; unknown keys fail, naming the file."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError
from runtime.paths import configs_dir


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
class SeriesRow:
    """How a series is taken; mm, ms and degrees. ``slices`` 0 means as many as cover the reported discs."""

    role: str
    number: int
    description: str
    sequence: str
    plane: str
    rows: int
    cols: int
    pixel: float
    slices: int
    spacing: float
    thickness: float
    tr: float
    te: float
    flip: float
    turbo: int


@dataclass(frozen=True)
class Tables:
    """Everything in ``<protocol>.yaml``; see the comments there for units and sources."""

    version: str
    people: dict[str, Any]
    vertebrae: dict[str, BodyRow]
    height_sd: float
    depth_sd: float
    discs: dict[str, DiscRow]
    canal: dict[str, Any]
    sacrum: dict[str, Any]
    prevalence: dict[str, PrevalenceRow]
    rsna_canal: dict[str, list[int]]
    rsna_foramen: dict[str, list[int]]
    copula: dict[str, float]
    rules: dict[str, Any]
    series: tuple[SeriesRow, ...]
    field_strength_t: float
    noise_share: float
    coil_depth_mm: float


@cache
def load_tables(protocol: str) -> Tables:
    """Read the tables of a protocol's phantom.

    Raises:
        ConfigError: If there is no phantom for the protocol, or the file has unknown or missing keys.
    """
    file = configs_dir() / "phantom" / f"{protocol}.yaml"
    if protocol not in phantom_protocols():
        raise ConfigError(
            f"phantom for protocol {protocol!r} is not there yet; expected one of {', '.join(phantom_protocols())}"
        )
    rows = read_yaml(file)
    try:
        rows["vertebrae"] = {name: BodyRow(**row) for name, row in rows["vertebrae"].items()}
        rows["discs"] = {name: DiscRow(**row) for name, row in rows["discs"].items()}
        rows["prevalence"] = {name: PrevalenceRow(**row) for name, row in rows["prevalence"].items()}
        rows["series"] = tuple(SeriesRow(**row) for row in rows["series"])
        return Tables(**rows)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file.name}: unknown or missing keys: {error}") from error


def phantom_protocols() -> tuple[str, ...]:
    """Return the protocols that have a phantom."""
    return ("lumbar",)


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: If the file is not a mapping.
    """
    rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(rows, dict):
        raise ConfigError(f"{file.name}: expected a mapping, got {type(rows).__name__}")
    return rows
