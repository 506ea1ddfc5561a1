"""The weighted log loss of the RSNA 2024 lumbar spine challenge.

Rows are (study, condition, level, side) with three steps: normal or mild, moderate, severe, weighing 1, 2 and 4.
The loss is the plain mean of four parts: canal stenosis, foraminal narrowing, subarticular stenosis, and "any
severe canal stenosis" by study, whose probability is the largest severe one of the study's levels.

Source: the metric of the RSNA 2024 Lumbar Spine Degenerative Classification challenge (Kaggle), as published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = np.array([1.0, 2.0, 4.0])
"""Of normal or mild, moderate, severe."""
GROUPS = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")
ANY_SEVERE = "any_severe_spinal"


@dataclass(frozen=True)
class RsnaRows:
    """N graded places.

    Attributes:
        studies: N study identifiers.
        conditions: N names, of ``GROUPS``.
        truth: (N,) steps 0 to 2.
        probabilities: (N, 3), any positive scale; each row is divided by its sum.
    """

    studies: Sequence[int | str]
    conditions: Sequence[str]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        count = len(self.truth)
        if not (len(self.studies) == len(self.conditions) == count) or self.probabilities.shape != (count, 3):
            raise ValueError(
                f"rows: expected {count} studies, conditions and rows of 3 probabilities, got "
                f"{len(self.studies)}, {len(self.conditions)} and {self.probabilities.shape!r}"
            )
        if odd := sorted(set(self.conditions) - set(GROUPS)):
            raise ValueError(f"conditions: expected {GROUPS!r}, got {odd!r}")


@dataclass(frozen=True)
class LossTerms:
    """One part of the loss: the weighted mean of its terms.

    Attributes:
        studies: (N,) study of each term.
        losses: (N,) negative log of the probability of what is true.
        weights: (N,) 1, 2 or 4.
    """

    studies: NDArray[Any]
    losses: NDArray[np.float64]
    weights: NDArray[np.float64]


def weighted_log_loss(rows: RsnaRows) -> dict[str, float]:
    """Return the loss of each part that has rows, and their mean as ``loss``."""
    parts = {
        name: float(np.average(terms.losses, weights=terms.weights)) for name, terms in loss_terms(rows).items()
    }
    return {**parts, "loss": float(np.mean(list(parts.values())))}


def loss_terms(rows: RsnaRows) -> dict[str, LossTerms]:
    """Return the terms of each part that has rows."""
    conditions = np.array(rows.conditions)
    parts = {name: _part(rows, conditions == name) for name in GROUPS if (conditions == name).any()}
    if GROUPS[0] in parts:
        parts[ANY_SEVERE] = _any_severe(rows, conditions == GROUPS[0])
    return parts


def _part(rows: RsnaRows, chosen: NDArray[np.bool_]) -> LossTerms:
    truth, probabilities = rows.truth[chosen], _scaled(rows.probabilities[chosen])
    losses = -np.log(probabilities[np.arange(len(truth)), truth])
    return LossTerms(np.array(rows.studies)[chosen], losses, WEIGHTS[truth])


def _any_severe(rows: RsnaRows, chosen: NDArray[np.bool_]) -> LossTerms:
    studies, truth = np.array(rows.studies)[chosen], rows.truth[chosen]
    severe = _scaled(rows.probabilities[chosen])[:, 2]
    losses, weights = [], []
    for study in np.unique(studies):
        mine = studies == study
        probability = severe[mine].max()
        losses.append(-np.log(probability if truth[mine].max() == 2 else 1 - probability))
        weights.append(WEIGHTS[truth[mine]].max())
    return LossTerms(np.unique(studies), np.array(losses), np.array(weights))


def _scaled(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring rows to a sum of one, away from 0 and 1 by the least step of a float, as scikit-learn does."""
    least = np.finfo(np.float64).eps
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    return np.asarray(np.clip(shares, least, 1 - least))
