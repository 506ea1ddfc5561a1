"""From calibrated logits to probabilities of the steps, in numpy: the same formula for every kind of head."""

import numpy as np
from numpy.typing import NDArray

from grading.heads import HeadKind

Rows = NDArray[np.float64]
"""(N, K - 1) or (N, K) logits, or (N, K) probabilities."""


def step_probabilities(logits: Rows, kind: HeadKind) -> Rows:
    """Return P(step) (N, K).

    Args:
        logits: (N, K - 1) logits of P(grade > k) for ordinal and binary heads, (N, K) for categories.
        kind: Kind of head.
    """
    if kind is HeadKind.CATEGORICAL:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax: Rows = shifted / shifted.sum(axis=1, keepdims=True)
        return softmax
    exceed = 0.5 * (1 + np.tanh(logits / 2))  # sigmoid without overflow
    ones, zeros = np.ones((len(logits), 1)), np.zeros((len(logits), 1))
    steps = np.hstack([ones, exceed]) - np.hstack([exceed, zeros])
    # Independent shifts could let neighbouring cuts cross by rounding only; a probability is never negative.
    steps = np.clip(steps, 0.0, None)
    normalised: Rows = steps / steps.sum(axis=1, keepdims=True)
    return normalised


def likeliest_step(probabilities: Rows, kind: HeadKind) -> NDArray[np.intp]:
    """Return the index of the named step (N,).

    Ordered scales take the median of the distribution, which is the step of least expected distance; the others
    take the most probable step (for two steps both are the same).
    """
    if kind is HeadKind.ORDINAL:
        return np.asarray((np.cumsum(probabilities, axis=1) < 0.5).sum(axis=1), dtype=np.intp)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.intp)
