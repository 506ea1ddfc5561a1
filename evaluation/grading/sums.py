"""What adds up over cases: counts from which the figures of any resample follow without going back to places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.grading.matched import NOT_GRADED, GradedPlaces
from evaluation.rsna import GROUPS, RsnaRows, loss_terms

BINS = 10
"""Of stated probability, equal in width."""
Floats = NDArray[np.float64]


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


@dataclass(frozen=True)
class SumsByCase:
    """The same, case by case: each array has the cases as its first axis."""

    confusion: Floats
    places: Floats
    bins: Floats
    with_set: Floats
    covered: Floats
    set_sizes: Floats

    def of(self, drawn: NDArray[np.intp]) -> CaseSums:
        """Return the sums when each case counts as often as ``drawn`` says."""
        parts = {item.name: np.tensordot(drawn, getattr(self, item.name), axes=1) for item in fields(self)}
        return CaseSums(
            confusion=np.rint(parts["confusion"]).astype(np.int64),
            bins=parts["bins"],
            **{name: float(parts[name]) for name in ("places", "with_set", "covered", "set_sizes")},
        )


def sum_cases(item: GradedPlaces, cases: int) -> SumsByCase:
    """Return the sums of a condition, case by case."""
    steps = len(item.steps)
    graded = np.flatnonzero(item.named != NOT_GRADED)
    cells = (item.truth[graded] * steps + item.named[graded]).astype(np.intp)
    known, stated, hits = stated_of(item)
    index = np.minimum((stated * BINS).astype(np.intp), BINS - 1)
    inside = item.sets[np.arange(len(item.truth)), item.truth] & item.has_set
    return SumsByCase(
        confusion=_sums(item.cases[graded], cells, None, (cases, steps * steps)).reshape(cases, steps, steps),
        places=np.bincount(item.cases, minlength=cases).astype(np.float64),
        bins=np.stack(
            [
                _sums(item.cases[known], index, values, (cases, BINS))
                for values in (None, stated, hits.astype(np.float64))
            ],
            axis=-1,
        ),
        with_set=_totals(item.cases, item.has_set, cases),
        covered=_totals(item.cases, inside, cases),
        set_sizes=_totals(item.cases, item.sets.sum(axis=1), cases),
    )


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


def _totals(cases: NDArray[np.intp], values: NDArray[Any], count: int) -> Floats:
    return np.bincount(cases, values.astype(np.float64), count).astype(np.float64)
