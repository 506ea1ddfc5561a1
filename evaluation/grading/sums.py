"""What adds up over cases: counts from which the figures of any resample follow without going back to places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.grading.matched import NOT_GRADED, GradedPlaces
from evaluation.rsna import GROUPS, RsnaRows, loss_terms

BINS = 10
"""Of stated probability, equal in width."""
Floats = NDArray[np.float64]
_TOTALS = 4


@dataclass(frozen=True)
class CaseSums:
    """Sums of one condition over some cases.

    Attributes:
        confusion: (K, K) graded places: true step, named step.
        places: Places with a true grade.
        bins: (BINS, 3) places, sum of the probabilities given to the named step, and how many were right.
        with_set: Places with a prediction set.
        covered: Of these, with the true step in it.
        set_sizes: Sum of their sizes.
    """

    confusion: NDArray[np.int64]
    places: float
    bins: Floats
    with_set: float
    covered: float
    set_sizes: float

    @property
    def calibration_error(self) -> float:
        """Return the expected calibration error, nan without probabilities."""
        total = self.bins[:, 0].sum()
        return float(np.abs(self.bins[:, 1] - self.bins[:, 2]).sum() / total) if total else np.nan

    @classmethod
    def of_flat(cls, flat: Floats, steps: int) -> "CaseSums":
        """Read a row of ``sum_cases`` or a sum of rows: four totals, the bins, the confusion matrix."""
        places, with_set, covered, set_sizes = flat[:_TOTALS].tolist()
        edge = _TOTALS + 3 * BINS
        confusion = np.rint(flat[edge:]).astype(np.int64).reshape(steps, steps)
        return cls(confusion, places, flat[_TOTALS:edge].reshape(3, BINS).T, with_set, covered, set_sizes)


def sum_cases(item: GradedPlaces, cases: int) -> Floats:
    """Return the sums of a condition case by case, (cases, F), each row flat as ``CaseSums.of_flat`` reads it."""
    steps = len(item.steps)
    graded = np.flatnonzero(item.named != NOT_GRADED)
    cells = (item.truth[graded] * steps + item.named[graded]).astype(np.intp)
    known, stated, hits = stated_of(item)
    index = np.minimum((stated * BINS).astype(np.intp), BINS - 1)
    inside = item.sets[np.arange(len(item.truth)), item.truth] & item.has_set
    bins = [
        _sums(item.cases[known], index, values, (cases, BINS))
        for values in (None, stated, hits.astype(np.float64))
    ]
    totals = [
        _sums(item.cases, np.zeros(len(item.cases), dtype=np.intp), values.astype(np.float64), (cases, 1))
        for values in (np.ones(len(item.cases)), item.has_set, inside, item.sets.sum(axis=1))
    ]
    confusion = _sums(item.cases[graded], cells, None, (cases, steps * steps))
    return np.concatenate([*totals, *bins, confusion], axis=1)


def stated_of(item: GradedPlaces) -> tuple[NDArray[np.intp], Floats, NDArray[np.bool_]]:
    """Return graded places with probabilities, the probability of each named step, and whether it was right."""
    known = np.flatnonzero((item.named != NOT_GRADED) & ~np.isnan(item.probabilities[:, 0]))
    return known, item.probabilities[known, item.named[known]], item.named[known] == item.truth[known]


def rsna_sums(sets: Sequence[GradedPlaces], cases: int) -> Mapping[str, Floats]:
    """Return part of the RSNA loss -> (cases, 2) weighted loss and weight; empty without RSNA grades.

    A part without probabilities sums to nothing.
    """
    parts = [item for item in sets if item.scale == "rsna" and item.condition in GROUPS]
    known = [np.flatnonzero(~np.isnan(item.probabilities[:, 0])) for item in parts]
    if not parts:
        return {}
    if not sum(map(len, known)):
        return {f"rsna_log_loss_{item.condition}": np.zeros((cases, 2)) for item in parts}
    rows = RsnaRows(
        studies=np.concatenate([item.cases[places] for item, places in zip(parts, known, strict=True)]).tolist(),
        conditions=[item.condition for item, places in zip(parts, known, strict=True) for _ in places],
        truth=np.concatenate([item.truth[places] for item, places in zip(parts, known, strict=True)]),
        probabilities=np.concatenate(
            [item.probabilities[places] for item, places in zip(parts, known, strict=True)]
        ),
    )
    return {
        f"rsna_log_loss_{name}": np.stack(
            [
                np.bincount(terms.studies.astype(np.intp), values, cases)
                for values in (terms.losses * terms.weights, terms.weights)
            ],
            axis=-1,
        )
        for name, terms in loss_terms(rows).items()
    }


def _sums(
    cases: NDArray[np.intp], cells: NDArray[np.intp], values: Floats | None, shape: tuple[int, int]
) -> Floats:
    return np.bincount(cases * shape[1] + cells, values, shape[0] * shape[1]).reshape(shape).astype(np.float64)
