"""The table of measured quantities (``quantities.yaml``): unit, definition, method, source, limits."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError

_KINDS = ("length", "area", "angle", "ratio", "signal")


@dataclass(frozen=True)
class Quantity:
    """One measured quantity.

    Attributes:
        name: As in reading.json.
        title: Plain words.
        unit: ``mm``, ``mm2``, ``deg``, ``1`` or ``%``.
        kind: ``length``, ``area`` and ``angle`` need pixel spacing; ``ratio`` (of lengths along one direction) and
            ``signal`` do not.
        method: How it is measured, one short phrase for a reading.
        definition: What it is, for docs/measurements.md.
        source: Of the definition; ``own choice`` where there is none.
        place: ``level``, ``vertebra``, ``spine`` or ``side``.
        not_assessable: When there is no value.
    """

    name: str
    title: str
    unit: str
    kind: str
    method: str
    definition: str
    source: str
    place: str
    not_assessable: str

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ConfigError(f"quantities.yaml: {self.name}: kind: expected one of {_KINDS}, got {self.kind!r}")

    @property
    def needs_spacing(self) -> bool:
        """Return whether it has no value without pixel spacing."""
        return self.kind in ("length", "area", "angle")


@cache
def load_quantities() -> dict[str, Quantity]:
    """Return name -> quantity in the order of the table.

    Raises:
        ConfigError: If a row has unknown or missing keys.
    """
    rows: dict[str, dict[str, Any]] = yaml.safe_load(
        (Path(__file__).parent / "quantities.yaml").read_text(encoding="utf-8")
    )
    try:
        return {name: Quantity(name=name, **row) for name, row in rows.items()}
    except TypeError as error:
        raise ConfigError(f"quantities.yaml: unknown or missing keys: {error}") from error
