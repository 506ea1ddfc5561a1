"""Tables of the sacroiliac phantom (``configs/phantom/sacroiliac.yaml``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imaging.phantom.tables import load_region


@dataclass(frozen=True)
class Tables:
    """Everything in ``sacroiliac.yaml``; see the comments there for units and sources."""

    version: str
    people: dict[str, Any]
    sacrum: dict[str, Any]
    joint: dict[str, Any]
    prevalence: dict[str, Any]
    lesions: dict[str, Any]
    tissues: dict[str, dict[str, Any]]
    rules: dict[str, Any]


def load_tables(changes: Mapping[str, Any] | None = None) -> Tables:
    """Read the tables of the sacroiliac phantom.

    Args:
        changes: Values to replace, by nested key, for another population.

    Raises:
        ConfigError: If file or changes have unknown or missing keys.
    """
    return load_region("sacroiliac", Tables, changes)
