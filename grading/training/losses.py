"""Masked multi-task loss: every condition's likelihood over the discs that were graded, rare steps weighted up."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from grading.heads import HeadInfo, HeadKind, label_columns
from grading.ordinal import ordinal_log_probabilities
from grading.training.cases import Case

_MAX_WEIGHT = 3.0  # ours: keeps a handful of rare discs from ruling a step
_BOX_BETA = 0.1  # ours, pitches: about 2 mm
_ORDINAL_SHARE = 2.0  # ours: several steps carry more than two


def step_weights(cases: Sequence[Case], heads: Sequence[HeadInfo]) -> dict[str, Tensor]:
    """Return head -> weight of each step (K,): square root of balanced weights, mean 1 over the discs.

    The square root is a compromise: full balance distorts the probabilities that calibration must mend.
    """
    weights = {}
    labels: NDArray[np.int64] = np.concatenate([case.labels for case in cases])
    columns = label_columns(heads)
    for head in heads:
        values = labels[:, columns[head.key]]
        counts = np.bincount(values[values >= 0], minlength=len(head.grades)).astype(float)
        raw = np.sqrt(counts.sum() / (len(counts) * np.maximum(counts, 1)))
        raw = np.minimum(raw, _MAX_WEIGHT)
        mean = float((raw * counts).sum() / max(counts.sum(), 1))
        weights[head.key] = torch.tensor(raw / max(mean, 1e-6), dtype=torch.float32)
    return weights


def multi_task_loss(
    logits: Mapping[str, Tensor], labels: Tensor, weights: Mapping[str, Tensor], heads: Sequence[HeadInfo]
) -> Tensor:
    """Return the weighted mean negative log-likelihood, averaged over the network's conditions.

    Args:
        logits: Head -> (B, L, K - 1 or K), or (B, L, 2, K - 1 or K) of a sided head; a head that the network does
            not have is missing.
        labels: (B, L, C) steps, -1 where unknown.
        weights: Head -> (K,) weights of the steps.
        heads: Of the configuration, in the order of the labels.
    """
    # Tied to the logits, so that a batch without any grade has a gradient (of nothing) too.
    total = torch.stack([part.sum() * 0.0 for part in logits.values()]).sum()
    columns = label_columns(heads)
    there = [head for head in heads if head.key in logits]
    for head in there:
        taken = labels[..., list(columns[head.key])]
        taken = taken if head.is_sided else taken[..., 0]
        known = taken >= 0
        if not known.any():
            continue
        steps = taken[known]
        losses = -_log_probabilities(logits[head.key][known], head).gather(1, steps[:, None])[:, 0]
        share = _ORDINAL_SHARE if head.kind is HeadKind.ORDINAL else 1.0
        total = total + share * (losses * weights[head.key][steps]).mean()
    return total / len(there)


def consistency_loss(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], seen: Tensor, heads: Sequence[HeadInfo]
) -> Tensor:
    """Return the mean squared difference between two predictions of the same places.

    Graded or not, a place should be graded alike however it was cut. Source: the Pi-model of Laine and Aila,
    Temporal ensembling for semi-supervised learning, ICLR 2017.

    Args:
        first: Head -> logits of one augmentation.
        second: Of the other.
        seen: (B, L) bool, levels that both show.
        heads: Of the configuration.
    """
    total = torch.zeros((), device=seen.device)
    if not seen.any():
        return total
    there = [head for head in heads if head.key in first]
    for head in there:
        one, other = (_log_probabilities(part[head.key][seen], head).exp() for part in (first, second))
        total = total + (one - other).square().sum(dim=-1).mean()
    return total / len(there)


def box_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """Return the mean smooth L1 distance of the edges over the boxes there are, 0 without any.

    Args:
        boxes: (B, L, 4) as laid, in pitches.
        truth: (B, L, 4), NaN where there is none.
    """
    known = torch.isfinite(truth).all(dim=-1)
    if not known.any():
        return boxes.sum() * 0.0
    return functional.smooth_l1_loss(boxes[known], truth[known], beta=_BOX_BETA)


def _log_probabilities(logits: Tensor, head: HeadInfo) -> Tensor:
    """Return log P(step) (N, K)."""
    if head.kind is HeadKind.CATEGORICAL:
        return functional.log_softmax(logits, dim=-1)
    if head.kind is HeadKind.BINARY:
        return torch.cat([functional.logsigmoid(-logits), functional.logsigmoid(logits)], dim=-1)
    return ordinal_log_probabilities(logits)
