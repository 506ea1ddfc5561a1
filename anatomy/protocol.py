"""Protocols: what belongs to a body region, read from ``configs/protocols/<name>.yaml``.

Adding a body region is a YAML file, phrases and weights; no code asks for a region's name.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from anatomy.conditions import Condition
from anatomy.eligibility import EligibilityRules, parse_eligibility
from anatomy.levels import DISC_LEVELS, SIJ
from anatomy.structures import Structure
from runtime.errors import ConfigError
from runtime.paths import configs_dir


@dataclass(frozen=True)
class SeriesRole:
    """A kind of series a protocol can use.

    Attributes:
        name: Such as ``sagittal_t2``.
        plane: ``sagittal``, ``axial`` or ``coronal``.
        sequences: Accepted sequences, in order of preference, such as ``t2``.
        is_required: True when a reading is refused without it (unless ``any_of`` roles cover it).
    """

    name: str
    plane: str
    sequences: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True)
class Protocol:
    """A body region's reading plan.

    Attributes:
        name: ``lumbar``, ``cervical`` or ``sacroiliac``.
        title: For the report's heading, such as ``MRI of the lumbar spine``.
        roles: Series roles; a picture or bare NIfTI takes the first role of its plane.
        structures: What is segmented.
        levels: Level names reported on, cranial to caudal.
        named_levels: Level names the consistency solver may give, cranial to caudal (a superset of ``levels``).
        conditions: What is graded.
        min_levels: Fewest levels that must be found for a reading.
        sections: Report sections in order.
        weights: Stage name -> weights folder; a missing folder means "protocol weights not installed".
        rules: Stage name -> versioned rule tables, free of code.
        eligibility: What its images must be like to be read.
    """

    name: str
    title: str
    roles: tuple[SeriesRole, ...]
    structures: tuple[Structure, ...]
    levels: tuple[str, ...]
    named_levels: tuple[str, ...]
    conditions: tuple[Condition, ...]
    min_levels: int
    sections: tuple[str, ...]
    weights: dict[str, str]
    rules: dict[str, Any]
    eligibility: EligibilityRules


_KEYS = {
    "title", "roles", "structures", "levels", "named_levels", "conditions", "min_levels", "sections", "weights",
    "rules", "eligibility",
}  # fmt: skip


def protocol_names() -> tuple[str, ...]:
    """Return the names of all installed protocols."""
    return tuple(sorted(file.stem for file in (configs_dir() / "protocols").glob("*.yaml")))


@cache
def load_protocol(name: str) -> Protocol:
    """Read a protocol by name.

    Raises:
        ConfigError: If there is no such protocol, a key is unknown or missing, or a level, structure or
            condition is not one of the known words.
    """
    file = configs_dir() / "protocols" / f"{name}.yaml"
    if not file.is_file():
        raise ConfigError(f"protocol: expected one of {', '.join(protocol_names())}, got {name!r}")
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    if set(table) != _KEYS:
        odd = sorted(set(table) ^ _KEYS)
        raise ConfigError(f"{file.name}: unknown or missing keys: {', '.join(odd)}")
    try:
        return Protocol(
            name=name,
            title=table["title"],
            roles=tuple(_role(row) for row in table["roles"]),
            structures=tuple(Structure(word) for word in table["structures"]),
            levels=_levels(table["levels"]),
            named_levels=_levels(table["named_levels"]),
            conditions=tuple(Condition(word) for word in table["conditions"]),
            min_levels=int(table["min_levels"]),
            sections=tuple(table["sections"]),
            weights=dict(table["weights"]),
            rules=dict(table["rules"]),
            eligibility=parse_eligibility(table["eligibility"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{file.name}: {error}") from error


def _role(row: dict[str, Any]) -> SeriesRole:
    return SeriesRole(
        name=row["name"], plane=row["plane"], sequences=tuple(row["sequences"]), is_required=row["is_required"]
    )


def _levels(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in DISC_LEVELS and name != SIJ:
            raise ValueError(f"levels: expected C2-C3 to L5-S1 or {SIJ}, got {name!r}")
    return tuple(names)
