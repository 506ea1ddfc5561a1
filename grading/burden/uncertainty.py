"""The distribution of the total points, from the probabilities of the grades.

Grades are put into blocks. Within a block they rise and fall together (comonotone: all at the same quantile),
which is the dependence with the widest sum; blocks are independent of each other. Both steps are exact: a block's
total takes finitely many values, and points are whole hundredths, so the sum over blocks is a convolution of
integers. Source: Dhaene et al., The concept of comonotonicity in actuarial science and finance: theory, Insurance:
Mathematics and Economics 2002;31:3-33 (quantiles of a comonotone sum add; it is the largest in convex order).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.burden.formula import GRID, BurdenFormula
from grading.burden.places import counted, place_of
from grading.types import Grade

_ROUNDING = 1e-9  # of cumulated probabilities
_SUM_TOLERANCE = 1e-3  # probabilities are rounded on their way through files


@dataclass(frozen=True)
class TotalLaw:
    """Distribution of the total points.

    Attributes:
        points: (N,) possible totals, rising.
        masses: (N,) their probabilities, above 0, summing to 1.
    """

    points: NDArray[np.float64]
    masses: NDArray[np.float64]

    def quantile(self, share: float) -> float:
        """Return the least total that is not exceeded with at least this probability."""
        index = int(np.searchsorted(np.cumsum(self.masses), share - _ROUNDING))
        return float(self.points[min(index, len(self.points) - 1)])


def total_law(blocks: Sequence[Sequence[Grade]], formula: BurdenFormula) -> TotalLaw:
    """Return the distribution of the total points.

    Args:
        blocks: Graded places. All grades of one condition at one level stand in one block, and so does a grade of
            the whole study with every grade of its condition.
        formula: Points.

    Raises:
        ValueError: If a grade's probabilities do not sum to 1 or name an unknown step.
    """
    law = np.ones(1)
    for block in blocks:
        law = np.convolve(law, _block_law(block, formula))
    index = np.flatnonzero(law > 0)
    return TotalLaw(index / GRID, law[index] / law[index].sum())


def _block_law(grades: Sequence[Grade], formula: BurdenFormula) -> NDArray[np.float64]:
    """Return the probability of each total, in hundredths of points."""
    places = [place_of(grade) for grade in grades]
    laws = [_grade_law(grade, formula) for grade in grades]
    ends = np.unique(np.concatenate([cumulated for _, cumulated in laws]))
    ends = ends[np.append(np.diff(ends) > _ROUNDING, True)]
    steps = [points[np.searchsorted(cumulated, ends - _ROUNDING)] for points, cumulated in laws]
    totals = [
        round(GRID * sum(values[index] for index in counted(places, values)))
        for values in np.stack(steps, axis=1).tolist()
    ]
    law = np.zeros(max(totals) + 1)
    np.add.at(law, totals, np.diff(ends, prepend=0.0))
    return law


def _grade_law(grade: Grade, formula: BurdenFormula) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a grade's possible points, rising, and their cumulated probabilities; a rule's grade is certain."""
    points = formula.points[grade.condition][grade.scale]
    if not grade.probabilities:
        return np.array([points[str(grade.grade)]]), np.ones(1)
    total = sum(grade.probabilities.values())
    if not set(grade.probabilities) <= set(points) or abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(
            f"grade {grade.id or grade.condition} at {grade.level}: expected probabilities of {', '.join(points)} "
            f"that sum to 1, got {grade.probabilities!r}"
        )
    ordered = sorted((points[step], share / total) for step, share in grade.probabilities.items())
    cumulated = np.cumsum([share for _, share in ordered])
    cumulated[-1] = 1.0
    return np.array([value for value, _ in ordered]), np.minimum(cumulated, 1.0)
