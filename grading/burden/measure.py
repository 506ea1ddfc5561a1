"""From grades to the Clinically Significant Degeneration Score of a patient."""

import math
from collections.abc import Sequence

from anatomy import Protocol
from grading.burden.formula import GRID, BurdenFormula, load_formula
from grading.burden.places import Place, asked_places, counted, place_of
from grading.burden.uncertainty import TotalLaw, total_law
from grading.types import Burden, BurdenTerm, Grade

INTERVAL = (0.025, 0.975)
"""Quantiles of the interval: 95 %."""


def measure_burden(grades: Sequence[Grade], protocol: Protocol) -> Burden:
    """Score a patient's grades.

    What is not graded adds nothing, so that the score is a lower bound; ``upper_bound`` is the score if every
    place that the protocol asks for and that has no grade were at its worst step. With no grade at all there is
    no score.

    Args:
        grades: All grades of the study, graded or not; several of one place count once, as the worst. A check of a
            place that has a grade of its own does not count: it can only raise the upper end of the interval.
        protocol: Says which places are asked for.

    Raises:
        ValueError: If a grade's probabilities do not sum to 1 or name an unknown step.
    """
    formula = load_formula(protocol.name)
    both_ways = [grade for grade in grades if grade.grade is not None]
    graded = _without_checks(both_ways)
    places = [place_of(grade) for grade in graded]
    asked = asked_places(protocol)
    missing = [place for place in asked if place not in set(places)]
    completeness = 1 - len(missing) / len(asked)
    if not graded:
        return Burden(score=None, category=None, terms=(), formula=formula.id, completeness=completeness)
    points = [formula.points[grade.condition][grade.scale][str(grade.grade)] for grade in graded]
    total = _total(places, points)
    score = formula.score(total)
    law = _law(graded, formula)
    widest = law if len(graded) == len(both_ways) else _law(both_ways, formula)
    return Burden(
        score=score,
        category=formula.category(score),
        terms=_terms(graded, places, points, formula),
        formula=formula.id,
        interval=None if law is None or widest is None else _interval(law, widest, total, formula),
        expected=None if law is None else _expected(law, formula),
        upper_bound=_upper_bound(places, points, missing, formula),
        completeness=completeness,
    )


def _total(places: Sequence[Place], points: Sequence[float]) -> float:
    """Return the sum of the points that count, on the grid, so that equal totals are equal to the last bit."""
    return round(GRID * math.fsum(points[index] for index in counted(places, points))) / GRID


def _terms(
    graded: Sequence[Grade], places: Sequence[Place], points: Sequence[float], formula: BurdenFormula
) -> tuple[BurdenTerm, ...]:
    """Share the score among the grades that count, in proportion to their points."""
    share = 100 / (_total(places, points) + formula.half_points)
    return tuple(
        BurdenTerm(graded[index].id, points[index] * share)
        for index in counted(places, points)
        if points[index] > 0
    )


def _upper_bound(
    places: Sequence[Place], points: Sequence[float], missing: Sequence[Place], formula: BurdenFormula
) -> float:
    worst = [formula.worst(place.condition) for place in missing]
    return formula.score(_total([*places, *missing], [*points, *worst]))


def _law(graded: Sequence[Grade], formula: BurdenFormula) -> TotalLaw | None:
    """Return the distribution of the total; None when no grade tells how sure it is."""
    if not any(grade.probabilities for grade in graded):
        return None
    return total_law(_blocks(graded), formula)


def _blocks(graded: Sequence[Grade]) -> list[list[Grade]]:
    """Return the grades of each level; all together where one is of the whole study and so covers every level.

    Conditions of one level are signs of one disc's wear, seen on one crop: their doubts are taken to agree. Levels
    are taken to be independent. ``docs/burden.md`` says what that costs and how it compares with other choices.
    """
    if any(grade.level is None for grade in graded):
        return [list(graded)]
    levels = dict.fromkeys(grade.level for grade in graded)
    return [[grade for grade in graded if grade.level == level] for level in levels]


def _without_checks(grades: Sequence[Grade]) -> list[Grade]:
    """Return the grades that count: a check stands in only where nothing else grades its place."""
    reported = {place_of(grade) for grade in grades if not grade.is_check}
    return [grade for grade in grades if not grade.is_check or place_of(grade) not in reported]


def _interval(law: TotalLaw, widest: TotalLaw, total: float, formula: BurdenFormula) -> tuple[float, float]:
    """Return the interval of the score, widened to hold the score itself, and upward to what checks would have it.

    Named grades are each the likeliest; when many places are a little uncertain, the sum of the likeliest can lie
    below almost every total that is likely as a whole.
    """
    low, high = law.quantile(INTERVAL[0]), widest.quantile(INTERVAL[1])
    return formula.score(min(low, total)), formula.score(max(high, total))


def _expected(law: TotalLaw, formula: BurdenFormula) -> float:
    pairs = zip(law.points.tolist(), law.masses.tolist(), strict=True)
    return math.fsum(mass * formula.score(points) for points, mass in pairs)
