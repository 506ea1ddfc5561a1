"""Grades that a measurement decides by a named, versioned table (``rules/<name>_<version>.yaml``). No torch."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import SCALES, Condition
from runtime.errors import ConfigError


@dataclass(frozen=True)
class RuleStep:
    """One step of a rule: it holds above (or from) a limit; the last step has none."""

    grade: str
    limit: float | None
    is_limit_included: bool

    def holds(self, value: float) -> bool:
        """Return whether a value belongs to this step or a better one."""
        if self.limit is None:
            return True
        return value >= self.limit if self.is_limit_included else value > self.limit


@dataclass(frozen=True)
class Rule:
    """A measured grade's table.

    Attributes:
        id: Name and version, such as ``canal_ap_verbiest/1``; quoted with every grade it decides.
        condition: What it grades.
        scale: On which scale.
        measurement: Name of the measurement it reads.
        words: How a person calls that measurement.
        unit: Unit the limits are in.
        steps: From best to worst, each with its lower limit.
        source: Where the limits come from.
    """

    id: str
    condition: Condition
    scale: str
    measurement: str
    words: str
    unit: str
    steps: tuple[RuleStep, ...]
    source: str

    def step_for(self, value: float) -> str:
        """Return the grade of a value in the rule's unit."""
        return next(step.grade for step in self.steps if step.holds(value))

    def explain(self, value: float) -> str:
        """Return one phrase with rule, value and the limits that decided."""
        grade = self.step_for(value)
        index = [step.grade for step in self.steps].index(grade)
        upper = self.steps[index - 1] if index else None
        step = self.steps[index]
        if upper is None:
            where = f"above {step.limit:g} {self.unit}"
        elif step.limit is None:
            where = f"below {upper.limit:g} {self.unit}"
        else:
            where = f"from {step.limit:g} to {upper.limit:g} {self.unit}"
        return f"rule {self.id}: {self.words} {value:.1f} {self.unit}, {where}"


@cache
def load_rule(rule_id: str) -> Rule:
    """Read a rule by name and version, such as ``canal_ap_verbiest/1``.

    Raises:
        ConfigError: If there is no such rule, or its steps are not the scale's, best first with falling limits.
    """
    folder = Path(__file__).parent / "rules"
    file = folder / f"{rule_id.replace('/', '_')}.yaml"
    if not file.is_file():
        raise ConfigError(f"rule: expected a table in {folder.name}/, got {rule_id!r}")
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    rule = Rule(
        id=table["id"],
        condition=Condition(table["condition"]),
        scale=table["scale"],
        measurement=table["measurement"],
        words=table["words"],
        unit=table["unit"],
        steps=tuple(
            RuleStep(row["grade"], row.get("above", row.get("at_least")), "at_least" in row)
            for row in table["steps"]
        ),
        source=table["source"],
    )
    limits = [step.limit for step in rule.steps[:-1]]
    in_order = all(limit is not None for limit in limits) and limits == sorted(limits, reverse=True)  # type: ignore[type-var]
    if tuple(step.grade for step in rule.steps) != SCALES[rule.scale].grades or not in_order:
        raise ConfigError(f"{file.name}: steps: expected those of scale {rule.scale}, best first, limits falling")
    return rule
