"""Agreement of named steps with true ones: accuracy, macro F1, quadratic weighted kappa.

All come from the confusion matrix, so that a bootstrap of thousands of resamples takes seconds; tests
compare each with scikit-learn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import Interval, bootstrap_by_patient

Steps = NDArray[np.int64]


def confusion_matrix(truth: Steps, predicted: Steps, *, steps: int) -> NDArray[np.int64]:
    """Return counts (steps, steps): rows are true steps, columns named ones."""
    flat = np.bincount(truth * steps + predicted, minlength=steps * steps)
    return flat.reshape(steps, steps).astype(np.int64)


def accuracy(matrix: NDArray[np.int64]) -> float:
    """Return the share of places named rightly, nan without any."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else np.nan


def macro_f1_of(matrix: NDArray[np.int64]) -> float:
    """Return the unweighted mean F1 of the steps that occur in truth or prediction, nan without any."""
    either = matrix.sum(axis=0) + matrix.sum(axis=1)
    present = either > 0
    return float((2 * np.diag(matrix)[present] / either[present]).mean()) if present.any() else np.nan


def quadratic_kappa_of(matrix: NDArray[np.int64]) -> float:
    """Return Cohen's kappa with quadratic weights, nan where chance leaves nothing to agree on.

    Source: Cohen, Psychol Bull 1968;70:213-20.
    """
    total = matrix.sum()
    step = np.arange(len(matrix))
    weights = (step[:, None] - step[None]) ** 2
    by_chance = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(total, 1)
    disagreement = float((weights * by_chance).sum())
    return 1 - float((weights * matrix).sum()) / disagreement if disagreement else np.nan


def quadratic_kappa(truth: Steps, predicted: Steps, *, steps: int) -> float:
    """Return Cohen's kappa with quadratic weights over steps 0 to steps - 1."""
    return quadratic_kappa_of(confusion_matrix(truth, predicted, steps=steps))


def macro_f1(truth: Steps, predicted: Steps) -> float:
    """Return the unweighted mean of the steps' F1."""
    steps = int(max(truth.max(initial=0), predicted.max(initial=0))) + 1
    return macro_f1_of(confusion_matrix(truth, predicted, steps=steps))


def interval_of(
    patients: Sequence[int | str], metric: Callable[[NDArray[np.intp]], float], *, resamples: int = 1000
) -> dict[str, Any]:
    """Return a metric with its interval as a JSON-ready dict."""
    interval: Interval = bootstrap_by_patient(patients, metric, resamples=resamples)
    return {"value": interval.value, "low": interval.low, "high": interval.high, "patients": interval.patients}
