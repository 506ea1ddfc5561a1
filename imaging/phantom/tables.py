"""YAML tables of the phantoms: reading, and changing some numbers for a shifted population."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

from runtime.errors import ConfigError
from runtime.paths import configs_dir

_T = TypeVar("_T")


@dataclass(frozen=True)
class BodyRow:
    """Norm of a vertebral body in mm; ``wedge`` in degrees, positive when taller in front."""

    height: float
    depth: float
    width: float
    wedge: float


def phantom_file(name: str) -> Path:
    """Return ``configs/phantom/<name>.yaml``."""
    return configs_dir() / "phantom" / f"{name}.yaml"


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: If the file is not a mapping.
    """
    rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(rows, dict):
        raise ConfigError(f"{file.name}: expected a mapping, got {type(rows).__name__}")
    return rows


def changed(table: Mapping[str, Any], changes: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return a table with some values replaced; nested mappings are changed key by key.

    Args:
        table: What is changed.
        changes: Values by key; every key must be in the table already.
        name: For the message.

    Raises:
        ConfigError: If a key of ``changes`` is not in the table, or a mapping meets a plain value.
    """
    result = dict(table)
    for key, value in changes.items():
        if key not in table:
            raise ConfigError(f"{name}: expected one of {', '.join(map(str, table))}, got {key!r}")
        is_mapping = isinstance(table[key], Mapping)
        if is_mapping != isinstance(value, Mapping):
            kind = "a mapping" if is_mapping else "a plain value"
            raise ConfigError(f"{name}: {key}: expected {kind}, got {value!r}")
        result[key] = changed(table[key], value, name=f"{name}: {key}") if is_mapping else value
    return result


def load_region(
    region: str, kind: type[_T], changes: Mapping[str, Any] | None, *, rows: Mapping[str, type] | None = None
) -> _T:
    """Read the tables of a body region into its record.

    Args:
        region: Name of the file, such as ``lumbar``.
        kind: The record; its fields are the file's keys.
        changes: Values to replace, by nested key, for a population other than the norms'.
        rows: Key of each table of rows, and the record of a row.

    Raises:
        ConfigError: If file or changes have unknown or missing keys.
    """
    name = phantom_file(region).name
    table = changed(_region_table(region), changes or {}, name=name)
    try:
        for key, row in (rows or {}).items():
            table[key] = {item: row(**values) for item, values in table[key].items()}
        return kind(**table)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{name}: unknown or missing keys: {error}") from error


def by_level(table: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    """Spread a table by level over names, cranial to caudal; between rows linear, past the ends constant."""
    known = [(names.index(name), value) for name, value in table.items() if name in names]
    index, values = zip(*sorted(known), strict=True)
    return np.asarray(np.interp(np.arange(len(names)), index, values))


@cache
def _region_table(region: str) -> dict[str, Any]:
    return read_yaml(phantom_file(region))
