"""YAML tables of the phantoms: reading, and changing some numbers for a shifted population."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError
from runtime.paths import configs_dir


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
