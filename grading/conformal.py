"""Prediction sets by class-conditional split conformal prediction. No torch.

A step k is in the set when 1 - P(k) does not exceed the threshold of k, which is the (1 - alpha) quantile, with
the finite-sample correction, of 1 - P(k) over held-out discs whose true step is k. For discs exchangeable with
those, the true step is in the set with probability at least 1 - alpha, for each step apart.
Source: Vovk, Conditional validity of inductive conformal predictors, Mach Learn 2013;92:349-376.

Calibration is by out-of-fold prediction (every disc scored by the network that has not seen its patient), and
discs of one patient are not independent, so the guarantee is approximate here; the benchmark measures coverage.
A step with too few held-out discs gets no threshold: it enters a set only when it is the named step, and no
coverage is claimed for it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grading.heads import HeadKind

MIN_DISCS = 15  # ours: a quantile of fewer discs would let a rare step into every set
Thresholds = tuple[float | None, ...]
"""Largest 1 - P(step) that keeps a step, per step; None without enough held-out discs."""


def fit_thresholds(probabilities: NDArray[np.float64], steps: NDArray[np.int64], *, alpha: float) -> Thresholds:
    """Return the threshold of each step.

    Args:
        probabilities: (N, K) calibrated probabilities of held-out discs.
        steps: (N,) true steps.
        alpha: Accepted share of misses per step.

    Raises:
        ValueError: If alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: expected between 0 and 1, got {alpha!r}")
    thresholds: list[float | None] = []
    for step in range(probabilities.shape[1]):
        scores = np.sort(1 - probabilities[steps == step, step])
        rank = math.ceil((len(scores) + 1) * (1 - alpha))
        is_known = len(scores) >= MIN_DISCS and rank <= len(scores)
        thresholds.append(float(scores[rank - 1]) if is_known else None)
    return tuple(thresholds)


def prediction_set(
    probabilities: Sequence[float], named: int, thresholds: Thresholds, kind: HeadKind
) -> tuple[int, ...]:
    """Return the steps that cannot be excluded, in order.

    The named step is always in it; on ordered scales gaps are filled, so that it reads "III or IV".
    """
    kept = {
        step
        for step, (probability, threshold) in enumerate(zip(probabilities, thresholds, strict=True))
        if threshold is not None and 1 - probability <= threshold
    } | {named}
    if kind is HeadKind.CATEGORICAL:
        return tuple(sorted(kept))
    return tuple(range(min(kept), max(kept) + 1))
