"""Grades as reports name them: which are normal, whether two are the same, and how many steps lie between them.

A grade may name several steps (``III|IV``). The distance of two grades is then the Wasserstein-1 distance of two
even spreads over their steps: ``III|IV`` is half a step from ``IV``; it is 0 only for the same steps.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anatomy import CONDITIONS, SCALES, Condition
from reporting.types import Fact

_SEVERITY = "severity"


@dataclass(frozen=True)
class Ladder:
    """Steps from best to worst.

    Attributes:
        steps: As the parser writes them.
        is_ordinal: False when the steps have no order (Modic types).
    """

    steps: tuple[str, ...]
    is_ordinal: bool


def same_grade(first: Fact, second: Fact) -> bool:
    """Return whether two facts name the same steps, or both none."""
    return _steps(first) == _steps(second)


def steps_apart(first: Fact, second: Fact) -> float | None:
    """Return how many steps lie between the grades of two facts of one condition.

    Returns:
        None when a grade is missing, no ladder holds both, or its steps have no order.
    """
    named = _steps(first) | _steps(second)
    if not _steps(first) or not _steps(second):
        return None
    ladder = next((item for item in ladders_of(first.condition) if named <= set(item.steps)), None)
    if ladder is None or not ladder.is_ordinal:
        return None
    spreads = [_cumulated(_steps(fact), ladder) for fact in (first, second)]
    return float(np.abs(spreads[0] - spreads[1]).sum())


def is_abnormal(fact: Fact) -> bool:
    """Return whether a fact says that something is wrong: not denied, and not only normal steps."""
    return not fact.negated and not _names_only(fact, _normal_steps(fact.condition))


def is_normal_step(fact: Fact) -> bool:
    """Return whether a fact names a step that its scale calls normal (Pfirrmann I or II)."""
    return not fact.negated and _names_only(fact, _normal_steps(fact.condition))


def split_zero_steps(fact: Fact) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the named steps that are the one normal step of their scale (Modic 0), and the others.

    Nothing of a denial is such a step.
    """
    if fact.negated or fact.grade is None:
        return (), ()
    steps = tuple(fact.grade.split("|"))
    zero = {step for group in _normal_steps(fact.condition) if len(group) == 1 for step in group}
    return tuple(step for step in steps if step in zero), tuple(step for step in steps if step not in zero)


@cache
def ladders_of(condition: Condition) -> tuple[Ladder, ...]:
    """Return the ladders of a condition, its own first, the words of severity last."""
    table = yaml.safe_load((Path(__file__).parent / "ladders.yaml").read_text(encoding="utf-8"))
    names = [*table["conditions"].get(condition.value, []), _SEVERITY]
    return tuple(_ladder(table["ladders"][name]) for name in names)


def _ladder(row: dict[str, Any]) -> Ladder:
    if "scale" in row:
        scale = SCALES[row["scale"]]
        return Ladder(scale.grades, scale.is_ordinal)
    return Ladder(tuple(row["steps"]), row["is_ordinal"])


@cache
def _normal_steps(condition: Condition) -> tuple[frozenset[str], ...]:
    """Return the normal steps of each scale of a condition."""
    scales = (SCALES[name] for name in CONDITIONS[condition].scales)
    return tuple(frozenset(step.grade for step in scale.steps if not step.is_abnormal) for scale in scales)


def _names_only(fact: Fact, groups: tuple[frozenset[str], ...]) -> bool:
    steps = _steps(fact)
    return bool(steps) and any(steps <= group for group in groups)


def _steps(fact: Fact) -> frozenset[str]:
    return frozenset() if fact.grade is None else frozenset(fact.grade.split("|"))


def _cumulated(steps: frozenset[str], ladder: Ladder) -> np.ndarray:
    return np.cumsum([float(step in steps) / len(steps) for step in ladder.steps])
