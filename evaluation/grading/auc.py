"""Area under the ROC curve, for one set of scores and for many resamples of it.

Source: Hanley and McNeil, Radiology 1982;143:29-36 (the Mann-Whitney statistic; ties count half).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class RankedScores:
    """Scores sorted once, so that the area of a resample of cases takes one pass.

    Args:
        positive: (N,) whether the event is there.
        scores: (N,) higher for the event.
        cases: (N,) index of the case each belongs to.
    """

    def __init__(
        self, positive: NDArray[np.bool_], scores: NDArray[np.floating[Any]], cases: NDArray[np.intp]
    ) -> None:
        distinct, self._rank = np.unique(scores, return_inverse=True)
        self._ranks = len(distinct)
        self._positive = positive.astype(np.float64)
        self._cases = cases

    def area(self, drawn: NDArray[np.intp]) -> float:
        """Return the area when each case counts as often as ``drawn`` says; nan when one class is absent."""
        weights = drawn[self._cases]
        above = np.bincount(self._rank, weights * self._positive, self._ranks)
        below = np.bincount(self._rank, weights * (1 - self._positive), self._ranks)
        pairs = above.sum() * below.sum()
        if not pairs:
            return float("nan")
        return float((above * (np.cumsum(below) - below / 2)).sum() / pairs)


def area_under_curve(truth: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> float:
    """Return the ROC AUC, nan when only one class is present."""
    every = np.arange(len(truth))
    return RankedScores(np.asarray(truth, dtype=bool), np.asarray(scores), every).area(np.ones_like(every))
