"""Many chains at once through the solver's sums, for fitting: padded to one length, in logarithms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.naming import TERMS
from segmentation.solver import FloatArray

_NEVER = -1e9
"""Stands for forbidden: infinities would meet in differences."""
_NODE_TERMS = tuple(term for term in TERMS if term != "steps")


@dataclass(frozen=True, eq=False)
class ChainBatch:
    """N chains of up to M discs with S states.

    Attributes:
        nodes: (N, M, S) evidence of each kind that concerns discs.
        steps: (N, M - 1, S, S) evidence of the steps.
        counts: (N,) discs of each chain.
        truth: (N, 2) one disc of each chain and its true state.
    """

    nodes: Mapping[str, FloatArray]
    steps: FloatArray
    counts: NDArray[np.intp]
    truth: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        nodes: Sequence[Mapping[str, FloatArray]],
        steps: Sequence[FloatArray],
        truth: Sequence[tuple[int, int]],
    ) -> "ChainBatch":
        """Pad the chains to one length."""
        counts = np.array([len(step) + 1 for step in steps])
        states = nodes[0][_NODE_TERMS[0]].shape[1]
        padded = {term: np.zeros((len(counts), counts.max(), states)) for term in _NODE_TERMS}
        between = np.zeros((len(counts), max(1, counts.max() - 1), states, states))
        for row, (kinds, step) in enumerate(zip(nodes, steps, strict=True)):
            between[row, : len(step)] = np.maximum(step, _NEVER)
            for term in _NODE_TERMS:
                padded[term][row, : counts[row]] = kinds[term]
        return cls(padded, between, counts, np.array(truth, dtype=np.intp))

    def log_probability(self, weights: Mapping[str, float]) -> FloatArray:
        """Return the log-probability of each true state, (N,)."""
        nodes = self._weighed(weights)
        allowed = np.full_like(nodes, 0.0)
        rows = np.arange(len(nodes))
        allowed[rows, self.truth[:, 0]] = _NEVER
        allowed[rows, self.truth[:, 0], self.truth[:, 1]] = 0.0
        return self._total(nodes + allowed, weights["steps"]) - self._total(nodes, weights["steps"])

    def probabilities(self, weights: Mapping[str, float]) -> FloatArray:
        """Return the probability of every state at the discs whose true state is known, (N, S)."""
        nodes = self._weighed(weights)
        rows = np.arange(len(nodes))
        logs = []
        for state in range(nodes.shape[2]):
            allowed = np.full_like(nodes, 0.0)
            allowed[rows, self.truth[:, 0]] = _NEVER
            allowed[rows, self.truth[:, 0], state] = 0.0
            logs.append(self._total(nodes + allowed, weights["steps"]))
        table = np.stack(logs, axis=1)
        return np.asarray(np.exp(table - self._total(nodes, weights["steps"])[:, None]))

    def _weighed(self, weights: Mapping[str, float]) -> FloatArray:
        return np.asarray(sum(weights[term] * self.nodes[term] for term in _NODE_TERMS))

    def _total(self, nodes: FloatArray, step_weight: float) -> FloatArray:
        """Return the logarithm of the sum over all paths, (N,)."""
        forward = nodes[:, 0]
        for disc in range(1, nodes.shape[1]):
            onward = forward[:, :, None] + step_weight * self.steps[:, disc - 1]
            highest = onward.max(axis=1)
            summed = highest + np.log(np.exp(onward - highest[:, None]).sum(axis=1)) + nodes[:, disc]
            forward = np.where((disc < self.counts)[:, None], summed, forward)
        highest = forward.max(axis=1)
        return np.asarray(highest + np.log(np.exp(forward - highest[:, None]).sum(axis=1)))
