"""Losses of the contrastive run: regions against statements, and wordings against wordings."""

import torch
from torch import Tensor
from torch.nn import functional


def region_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the sigmoid loss of pairs of which the truth is known, true and false pairs weighing the same.

    Source: Zhai et al. 2023, arXiv:2303.15343 (SigLIP); here a pair's truth is a fact, not which caption came with
    which picture, so a phrase that is true of many regions of a batch is no false negative. Balancing: own choice.

    Args:
        logits: (N, M) of N regions and M statements.
        truth: (N, M) int8: 1 true, 0 false, -1 unknown.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, (truth == 1).float(), reduction="none")
    parts = [losses[truth == value].mean() for value in (0, 1) if (truth == value).any()]
    return torch.stack(parts).mean() if parts else logits.sum() * 0.0


def wording_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the contrastive loss between two wordings of each statement (InfoNCE, both ways).

    Args:
        first: (M, D) unit embeddings of one wording of M different statements.
        second: (M, D) unit embeddings of another.
        temperature: Divides the cosines.
    """
    logits = first @ second.T / temperature
    target = torch.arange(len(first), device=first.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
