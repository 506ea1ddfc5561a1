"""The numbers of the score (``grading/rules/burden.yaml``): points of every step, the curve, the categories."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import CONDITIONS, SCALES, Condition
from runtime.errors import ConfigError

GRID = 100
"""Points are whole hundredths, so that sums of them are exact on a grid of integers."""

_FILE = Path(__file__).parents[1] / "rules" / "burden.yaml"
Points = Mapping[Condition, Mapping[str, Mapping[str, float]]]
"""Condition -> scale -> step -> points."""


@dataclass(frozen=True)
class BurdenFormula:
    """The formula's numbers for one body region.

    Attributes:
        id: Version.
        half_points: Sum of points at which the score is 50.
        points: Condition -> scale -> step -> points, in whole hundredths.
        categories: (name, lowest score), rising from 0.
    """

    id: str
    half_points: float
    points: Points
    categories: tuple[tuple[str, float], ...]

    def worst(self, condition: Condition) -> float:
        """Return the most points that one place of a condition can have."""
        return max(value for steps in self.points[condition].values() for value in steps.values())

    def score(self, total: float) -> float:
        """Return the score of a sum of points, 0 to below 100."""
        return 100 * total / (total + self.half_points)

    def category(self, score: float) -> str:
        """Return the category of a score."""
        return [name for name, lowest in self.categories if score >= lowest][-1]


@cache
def load_formula(protocol: str) -> BurdenFormula:
    """Read the formula of a body region.

    Args:
        protocol: Name of the protocol; one without its own ``half_points`` takes the default.

    Raises:
        ConfigError: If a step of a graded condition has no points, or the points break the rules of ``parse``.
    """
    return parse(yaml.safe_load(_FILE.read_text(encoding="utf-8")), protocol)


def parse(table: Mapping[str, Any], protocol: str) -> BurdenFormula:
    """Check a table: points for every step of every scale a condition is graded on, and monotone.

    Raises:
        ConfigError: If a condition, scale or step is missing or unknown; the best step has points; points are not
            whole hundredths; points do not rise along an ordered scale; or the categories do not rise from 0.
    """
    graded = {condition: (*info.scales, *info.checks) for condition, info in CONDITIONS.items() if info.scales}
    points = {Condition(name): scales for name, scales in table["points"].items()}
    for condition, scales in graded.items():
        for scale in scales:
            _check_steps(condition, scale, points.get(condition, {}).get(scale, {}))
    odd = [
        (name, scale) for name, scales in points.items() for scale in scales if scale not in graded.get(name, ())
    ]
    if odd:
        raise ConfigError(
            f"{_FILE.name}: {odd[0][0]}: not graded on scale {odd[0][1]!r}; see anatomy/conditions.py"
        )
    categories = tuple((row["name"], float(row["from"])) for row in table["categories"])
    limits = [lowest for _, lowest in categories]
    if limits[:1] != [0.0] or limits != sorted(set(limits)):
        raise ConfigError(f"{_FILE.name}: categories: expected limits that rise from 0, got {limits}")
    half = float(table["half_points"].get(protocol, table["half_points"]["default"]))
    if half <= 0:
        raise ConfigError(f"{_FILE.name}: half_points: expected numbers above 0, got {half}")
    return BurdenFormula(table["id"], half, points, categories)


def _check_steps(condition: Condition, scale: str, steps: Mapping[str, float]) -> None:
    place = f"{_FILE.name}: {condition} on scale {scale}"
    if tuple(steps) != SCALES[scale].grades:
        raise ConfigError(f"{place}: expected points for {', '.join(SCALES[scale].grades)}, got {list(steps)}")
    values = list(steps.values())
    if any(not math.isclose(value * GRID, round(value * GRID)) for value in values):
        raise ConfigError(f"{place}: expected whole hundredths of points, got {values}")
    is_rising = not SCALES[scale].is_ordinal or values == sorted(set(values))
    if values[0] != 0 or min(values[1:]) <= 0 or not is_rising:
        raise ConfigError(
            f"{place}: expected 0 for the best step and points that rise with severity, got {values}"
        )
