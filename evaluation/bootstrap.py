"""Intervals by bootstrap over patients: the patient is the unit that is drawn, never the slice or disc."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_PATIENTS = 2
"""Below it there is nothing to draw: a figure has no interval."""
_LEAST_DEFINED = 0.5
"""Share of the resamples on which a figure must be defined to get an interval. Source: ours."""


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
    rows_of = _rows_by_patient(patients)
    draws = [statistic(rows) for rows in _resampled(rows_of, resamples, seed)]
    low, high = np.nanpercentile(np.asarray(draws, dtype=float), [2.5, 97.5])
    return Interval(
        value=float(statistic(np.arange(len(patients)))), low=float(low), high=float(high), patients=len(rows_of)
    )


def bootstrap_figures(
    patients: Sequence[int | str],
    figures_of: Callable[[NDArray[np.intp]], Mapping[str, float]],
    *,
    resamples: int = 1000,
    seed: int = 0,
    tick: Callable[[float], None] | None = None,
) -> dict[str, Interval | float | None]:
    """Bootstrap several figures over the same resamples of patients (percentile intervals, 95 %).

    Args:
        patients: Patient of each row.
        figures_of: Row indices, in any order -> figures by name; nan where one is not defined.
        resamples: Number of resamples; 0 gives figures without intervals.
        seed: Seed of the draws.
        tick: Told the share that is done after each resample.

    Returns:
        Each figure with its interval; as a plain number where fewer than two patients have it or half the
        resamples do not define it; None where all rows together do not define it.
    """
    everything = figures_of(np.arange(len(patients)))
    rows_of = _rows_by_patient(patients)
    draws: dict[str, list[float]] = {name: [] for name in everything}
    known: dict[bytes, Mapping[str, float]] = {}  # few patients give the same resample again and again
    if len(rows_of) >= LEAST_PATIENTS:
        for number, rows in enumerate(_resampled(rows_of, resamples, seed), start=1):
            key = np.sort(rows).tobytes()
            if key not in known:
                known[key] = figures_of(rows)
            for name, value in known[key].items():
                draws[name].append(value)
            if tick is not None:
                tick(number / resamples)
    return {name: _figure(value, np.asarray(draws[name]), len(rows_of)) for name, value in everything.items()}


def _figure(value: float, draws: NDArray[np.float64], patients: int) -> Interval | float | None:
    if np.isnan(value):
        return None
    defined = draws[~np.isnan(draws)]
    if not len(draws) or len(defined) < _LEAST_DEFINED * len(draws):
        return float(value)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(float(value), float(low), float(high), patients)


def _rows_by_patient(patients: Sequence[int | str]) -> list[NDArray[np.intp]]:
    names = np.asarray(patients)
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _resampled(rows_of: Sequence[NDArray[np.intp]], resamples: int, seed: int) -> Iterator[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        chosen = rng.integers(0, len(rows_of), len(rows_of))
        yield np.concatenate([rows_of[index] for index in chosen])
