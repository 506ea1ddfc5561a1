"""Two systems on the same reports: the paired randomisation test by patient, and the difference's interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import Interval, bootstrap_by_patient

FLIPS = 10_000
"""Random sign flips; with ``2 ** patients`` no more than that, every flip is tried instead."""
_BLOCK = 500
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedTest:
    """The first system minus the second.

    Attributes:
        difference: Mean over reports.
        interval: Its 95 % bootstrap interval over patients.
        p: Two-sided; of all sign flips, the share with a difference at least as large.
        n: Patients compared.
        is_exact: Whether every flip was tried.
    """

    difference: float
    interval: Interval
    p: float
    n: int
    is_exact: bool

    def __str__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return f"{self.difference:+.3f} ({low:+.3f} to {high:+.3f}, p={self.p:.2g}, n={self.n})"


def paired_test(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    patients: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> PairedTest:
    """Compare two systems report by report.

    Under the hypothesis that the systems are alike, either could have written each patient's reports: the sign of
    a patient's differences is flipped, all of them together. Reports that either system has no value for (nan)
    are left out.

    Args:
        a: (N,) figure of each report, first system.
        b: (N,) the same of the second.
        patients: Patient of each report.
        seed: Of the flips and the bootstrap.
        resamples: Of the bootstrap.

    Raises:
        ValueError: If the lengths differ or no report has both values.

    Source: Fisher's randomisation test; Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989 (random
    flips, one added to both counts).
    """
    if not len(a) == len(b) == len(patients):
        raise ValueError(f"a, b, patients: expected one length, got {len(a)}, {len(b)} and {len(patients)}")
    gaps = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(gaps))
    if not len(known):
        raise ValueError("a, b: expected at least one report with a value of both, got none")
    gaps = gaps[known]
    owners = [patients[int(row)] for row in known]
    names = sorted(set(owners))
    number = {name: index for index, name in enumerate(names)}
    place = [number[owner] for owner in owners]
    totals: NDArray[np.float64] = np.zeros(len(names))
    np.add.at(totals, place, gaps)
    is_exact = 2 ** len(names) <= FLIPS
    p = _exact(totals) if is_exact else _drawn(totals, seed)
    interval = bootstrap_by_patient(owners, lambda rows: float(gaps[rows].mean()), resamples=resamples, seed=seed)
    return PairedTest(float(gaps.mean()), interval, p, len(names), is_exact)


def _exact(totals: NDArray[np.float64]) -> float:
    codes = np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals))
    signs: NDArray[np.float64] = 1.0 - 2.0 * (codes & 1).astype(np.float64)
    return float(_is_as_large(signs, totals).mean())


def _drawn(totals: NDArray[np.float64], seed: int) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(0, FLIPS, _BLOCK):
        signs = rng.choice(np.array([-1.0, 1.0]), (_BLOCK, len(totals)))
        hits += int(_is_as_large(signs, totals).sum())
    return (hits + 1) / (FLIPS + 1)


def _is_as_large(signs: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.bool_]:
    seen = abs(totals.sum())
    large: NDArray[np.bool_] = np.abs(signs @ totals) >= seen - _ROUNDING * max(1.0, seen)
    return large
