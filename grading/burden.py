"""Patient-level burden: the Clinically Significant Degeneration Score of ``rules/burden.yaml``. No torch.

Explicit and monotone: a worse step of any graded condition never lowers the score.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from anatomy import SCALES, Condition
from grading.types import Burden, BurdenTerm, Grade


@dataclass(frozen=True)
class BurdenFormula:
    """The formula's numbers, see ``rules/burden.yaml``.

    Attributes:
        id: Version.
        half_points: Sum of points at which the score is 50.
        weights: Condition -> points at severity 1.
        categories: (name, lowest score), rising.
    """

    id: str
    half_points: float
    weights: dict[Condition, float]
    categories: tuple[tuple[str, float], ...]


@cache
def load_formula() -> BurdenFormula:
    """Read the formula's table."""
    table = yaml.safe_load((Path(__file__).parent / "rules" / "burden.yaml").read_text(encoding="utf-8"))
    return BurdenFormula(
        id=table["id"],
        half_points=float(table["half_points"]),
        weights={Condition(name): float(weight) for name, weight in table["weights"].items()},
        categories=tuple((row["name"], float(row["from"])) for row in table["categories"]),
    )


def measure_burden(grades: Sequence[Grade]) -> Burden:
    """Score a patient's grades.

    Grades that are not assessable add nothing; with no grade at all there is no score. A condition without a
    weight in the table adds nothing.
    """
    formula = load_formula()
    points = {
        grade.id: formula.weights.get(grade.condition, 0.0) * SCALES[grade.scale].step(grade.grade).weight
        for grade in grades
        if grade.grade is not None
    }
    if not points:
        return Burden(score=None, category=None, terms=(), formula=formula.id)
    share = 100 / (math.fsum(points.values()) + formula.half_points)
    terms = tuple(BurdenTerm(name, value * share) for name, value in points.items() if value > 0)
    score = math.fsum(term.points for term in terms)
    category = [name for name, lowest in formula.categories if score >= lowest][-1]
    return Burden(score=score, category=category, terms=terms, formula=formula.id)
