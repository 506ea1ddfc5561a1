"""Intervals by bootstrap over patients: the patient is the unit that is drawn, never the slice or disc."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval.

    Attributes:
        value: On all patients.
        low: 2.5th percentile over resamples.
        high: 97.5th percentile over resamples.
        patients: Number of patients.
    """

    value: float
    low: float
    high: float
    patients: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n={self.patients})"


def bootstrap_by_patient(
    patients: Sequence[int | str],
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Bootstrap a statistic over patients (percentile interval, 95 %).

    Args:
        patients: Patient of each row.
        statistic: Row indices -> figure; may return nan for a resample it is not defined on (dropped).
        resamples: Number of resamples.
        seed: Seed of the draws.

    Raises:
        ValueError: If there are no rows.
    """
    if len(patients) == 0:
        raise ValueError("patients: expected at least one row, got none")
    names = np.asarray(patients)
    rows_of = [np.flatnonzero(names == name) for name in np.unique(names)]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(rows_of), len(rows_of))
        draws.append(statistic(np.concatenate([rows_of[index] for index in chosen])))
    low, high = np.nanpercentile(np.asarray(draws, dtype=float), [2.5, 97.5])
    return Interval(
        value=float(statistic(np.arange(len(names)))), low=float(low), high=float(high), patients=len(rows_of)
    )
