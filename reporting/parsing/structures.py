"""The structures of the clause grammar (``clauses.yaml``): what may be said of each, and what it means."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from anatomy import Condition
from reporting.parsing.tables import read_table


@dataclass(frozen=True)
class Structure:
    """A structure that a sentence may speak of.

    Attributes:
        actions: What may be done to it.
        means: Conditions that are meant then.
        value: Name of the measurement that a number beside it gives; empty for none.
        beside: Structures and conditions beside which its name says nothing (``disc`` of ``disc bulge``).
    """

    actions: frozenset[str]
    means: tuple[Condition, ...]
    value: str
    beside: frozenset[str]


@cache
def structure(name: str) -> Structure:
    """Return a structure by name."""
    row: dict[str, Any] = read_table("clauses.yaml")["structures"][name]
    return Structure(
        frozenset(row["actions"]),
        tuple(Condition(condition) for condition in row.get("means", [name])),
        row.get("value", ""),
        frozenset(row.get("beside", ())),
    )


@cache
def causes() -> dict[str, frozenset[str]]:
    """Return what may be said to narrow or compress (``by``), and what is (``of``)."""
    return {key: frozenset(names) for key, names in read_table("clauses.yaml")["causes"].items()}


def is_weak(name: str, other: str) -> bool:
    """Tell whether a structure's name says nothing beside another (``disc bulge``, ``Modic 1 endplates``)."""
    return other in structure(name).beside
