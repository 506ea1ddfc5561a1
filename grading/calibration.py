"""Calibration of logits on held-out patients: one temperature and a shift per logit of a condition. No torch.

Class balancing in training moves probabilities away from frequencies; a temperature alone cannot move them back,
so the shift is fitted with it. Both are held near 1 and 0 by a small penalty, which decides where discs are few.
Source: Guo et al., On calibration of modern neural networks, ICML 2017 (temperature and vector scaling).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from grading.heads import HeadKind
from grading.probabilities import Rows, step_probabilities

_PENALTY = 1.0  # ours, in units of discs: weak beside hundreds of discs, firm beside five


@dataclass(frozen=True)
class HeadCalibration:
    """Calibrated logits are ``logits / temperature + shifts``.

    Attributes:
        temperature: Above 0; above 1 softens.
        shifts: One per logit of a category, else a single one (cut points move together and stay in order).
    """

    temperature: float
    shifts: tuple[float, ...]

    def apply(self, logits: Rows) -> Rows:
        """Return calibrated logits of the same shape (N, ...)."""
        calibrated: Rows = logits / self.temperature + np.asarray(self.shifts)
        return calibrated

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {"temperature": self.temperature, "shifts": list(self.shifts)}

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "HeadCalibration":
        """Read what ``to_dict`` wrote."""
        return cls(float(table["temperature"]), tuple(float(value) for value in table["shifts"]))


def fit_calibration(
    logits: Rows, steps: NDArray[np.int64], kind: HeadKind, *, weights: NDArray[np.float64] | None = None
) -> HeadCalibration:
    """Fit temperature and shifts by penalised likelihood.

    Args:
        logits: (N, K - 1) or (N, K) of patients the network has not seen.
        steps: (N,) true steps.
        kind: Kind of head.
        weights: (N,) how much each row counts, where rows are not as common as in use; None counts all alike.

    Raises:
        ValueError: If there are no rows.
    """
    if len(logits) == 0:
        raise ValueError("calibration: expected held-out discs, got none")
    shifts = logits.shape[1] if kind is HeadKind.CATEGORICAL else 1

    counted = np.ones(len(logits)) if weights is None else weights

    def loss(parameters: NDArray[np.float64]) -> float:
        calibrated = logits * np.exp(-parameters[0]) + parameters[1:]
        chosen = step_probabilities(calibrated, kind)[np.arange(len(steps)), steps]
        return float(-(counted * np.log(np.maximum(chosen, 1e-12))).sum() + _PENALTY * (parameters**2).sum())

    found = minimize(loss, np.zeros(1 + shifts), method="L-BFGS-B", bounds=[(-2.0, 2.0)] + [(-4.0, 4.0)] * shifts)
    return HeadCalibration(float(np.exp(found.x[0])), tuple(float(value) for value in found.x[1:]))


def expected_calibration_error(
    probabilities: NDArray[np.float64], hits: NDArray[np.bool_], *, bins: int = 10
) -> float:
    """Return the mean gap between stated probability and frequency over equal-width bins.

    Args:
        probabilities: (N,) stated probability of the event.
        hits: (N,) whether it happened.
        bins: Number of bins.
    """
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(probabilities[index == b].mean() - hits[index == b].mean()) * (index == b).sum()
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps) / max(len(probabilities), 1))
