"""The consistency solver: names for an ordered chain of discs, with exact probabilities.

A hidden Markov chain. The states of a disc are: above the named levels, each named level (cranial to caudal),
below them (a disc inside the sacrum). A step may only go on caudally, so a level is never given twice; a skipped
level is possible and costs. The best path gives the names; forward-backward sums give the probability of each.
Knows nothing of images: the evidence comes as log-likelihoods (``segmentation.evidence``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solution:
    """Names of a chain as state indices.

    Attributes:
        path: Best state of each disc, (n,).
        marginals: Probability of each state, (n, S); rows sum to 1.
        runner_up: State of each disc in the best path that gives the last disc another state, (n,); None when
            there is none.
    """

    path: NDArray[np.intp]
    marginals: FloatArray
    runner_up: NDArray[np.intp] | None


def solve(nodes: FloatArray, steps: FloatArray) -> Solution:
    """Find the best path and the probability of each state.

    Args:
        nodes: (n, S) log-likelihood of each disc in each state; -inf forbids.
        steps: (n - 1, S, S) log-likelihood of going from state s of disc i to state t of disc i + 1.

    Raises:
        ValueError: If no path is allowed.
    """
    path = _best_path(nodes, steps)
    if path is None:
        raise ValueError("levels: no order of names fits the chain of discs")
    other = nodes.copy()
    other[-1, path[-1]] = -np.inf
    return Solution(path=path, marginals=_marginals(nodes, steps), runner_up=_best_path(other, steps))


def _best_path(nodes: FloatArray, steps: FloatArray) -> NDArray[np.intp] | None:
    """Viterbi; None when every path is forbidden."""
    best = nodes[0]
    came_from = []
    for node, step in zip(nodes[1:], steps, strict=True):
        scores = best[:, None] + step
        came_from.append(scores.argmax(axis=0))
        best = scores.max(axis=0) + node
    if not np.isfinite(best.max()):
        return None
    path = [int(best.argmax())]
    for origin in reversed(came_from):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1], dtype=np.intp)


def _marginals(nodes: FloatArray, steps: FloatArray) -> FloatArray:
    """Forward-backward in logarithms."""
    forward = [nodes[0]]
    for node, step in zip(nodes[1:], steps, strict=True):
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + step, axis=0) + node)
    backward = [np.zeros(nodes.shape[1])]
    for node, step in zip(nodes[:0:-1], steps[::-1], strict=True):
        backward.append(np.logaddexp.reduce(step + (node + backward[-1])[None, :], axis=1))
    joint = np.array(forward) + np.array(backward[::-1])
    marginals: FloatArray = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    return marginals
