"""Measured values that two reports give of the same thing: how many differ. They are no facts and enter no F1."""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.compare import values_agree

_MM_PER_CM = 10.0


@dataclass(frozen=True)
class StatedValue:
    """A named value of a report.

    Attributes:
        name: Such as ``canal_ap_diameter``.
        level: Disc level; None when none is named, or several.
        value: As written.
        unit: As ``reporting.types.MeasuredFact`` has it.
        decimals: Digits after the point.
    """

    name: str
    level: str | None
    value: float
    unit: str
    decimals: int


def value_errors(stated: Sequence[StatedValue], referenced: Sequence[StatedValue]) -> int:
    """Return how many values differ from the reference's of the same name and level, beyond the digits written.

    Values that only one report gives, or that are given in units that cannot be compared, are not counted.
    """
    truth: dict[tuple[str, str | None], StatedValue] = {}
    for item in referenced:
        truth.setdefault((item.name, item.level), item)
    pairs = [(item, truth.get((item.name, item.level))) for item in stated]
    return sum(_differs(item, other) for item, other in pairs if other is not None)


def _differs(first: StatedValue, second: StatedValue) -> bool:
    (one, unit, fine), (two, other_unit, other_fine) = _plain(first), _plain(second)
    return unit == other_unit and not values_agree(one, min(fine, other_fine), two)


def _plain(item: StatedValue) -> tuple[float, str, int]:
    """Return a value in mm where it is a length, its unit, and its digits after the point."""
    if item.unit == "cm":
        return item.value * _MM_PER_CM, "mm", item.decimals - 1
    return item.value, item.unit, item.decimals
