"""Conditional head for ordered grades: is it worse than this step, given that it is at least this step?

Each of the K - 1 questions has weights of its own, so what tells grade I from II need not be what tells IV from V.
P(grade > k) is the product of the answers up to k; it falls with k whatever the weights, so every grade has a
probability and none is below 0. A head with one score and rising cut points (proportional odds) did clearly worse
on discs (docs/lab-log.md).
Sources: Fienberg, The analysis of cross-classified categorical data, 1980 (continuation ratios); Shi, Cao and
Raschka, Deep neural networks for rank-consistent ordinal regression based on conditional probabilities, Pattern
Anal Applic 2023;26:941-955. Trained here by the whole likelihood.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAST_LOG = -1e-6  # log P(grade > k) is kept below it: its logit stays finite


class OrdinalHead(nn.Module):
    """Turns a token into the logits of ``P(grade > k)``.

    Args:
        width: Width of the token.
        steps: Number of grades K, at least 2.

    Raises:
        ValueError: If there are fewer than two grades.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        if steps < 2:
            raise ValueError(f"steps: expected at least 2 grades, got {steps!r}")
        self.further = nn.Linear(width, steps - 1)
        with torch.no_grad():  # a fresh head gives every grade the same probability
            self.further.bias.copy_(torch.arange(steps - 1, 0, -1).float().log())

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of P(grade > k), (..., K - 1), float32, not rising along the last axis."""
        log_exceed = functional.logsigmoid(self.further(tokens).float()).cumsum(-1).clamp_max(_LEAST_LOG)
        logits: Tensor = log_exceed - torch.log(-torch.expm1(log_exceed))
        return logits


def ordinal_log_probabilities(exceed_logits: Tensor) -> Tensor:
    """Return log P(grade) (..., K) from the logits of P(grade > k) (..., K - 1)."""
    exceed = torch.sigmoid(exceed_logits)
    ones, zeros = torch.ones_like(exceed[..., :1]), torch.zeros_like(exceed[..., :1])
    steps = torch.cat([ones, exceed], dim=-1) - torch.cat([exceed, zeros], dim=-1)
    return steps.clamp_min(1e-7).log()
