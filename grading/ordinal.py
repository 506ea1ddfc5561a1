"""Cumulative-link head for ordered grades: one score and rising cut points, so the grades are monotone in it.

P(grade > k) = sigmoid(score - cut_k) with cut_1 < cut_2 < ...; a higher score never makes a lower grade likelier.
Source: McCullagh, Regression models for ordinal data, J R Stat Soc B 1980;42:109-142 (proportional odds).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class OrdinalHead(nn.Module):
    """Turns a token into the logits of ``P(grade > k)``.

    Args:
        width: Width of the token.
        steps: Number of grades K; there are K - 1 cut points.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        if steps < 2:
            raise ValueError(f"steps: expected at least 2 grades, got {steps!r}")
        self.score = nn.Linear(width, 1)
        self.first_cut = nn.Parameter(torch.tensor(-(steps - 2) / 2))
        self.raw_gaps = nn.Parameter(torch.full((steps - 2,), 0.5413))  # softplus(0.5413) = 1

    def cuts(self) -> Tensor:
        """Return the cut points (K - 1,), strictly rising."""
        gaps = functional.softplus(self.raw_gaps) + 1e-3
        return torch.cat([self.first_cut.view(1), self.first_cut + gaps.cumsum(0)])

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of P(grade > k), (..., K - 1), falling along the last axis."""
        logits: Tensor = self.score(tokens) - self.cuts()
        return logits


def ordinal_log_probabilities(exceed_logits: Tensor) -> Tensor:
    """Return log P(grade) (..., K) from the logits of P(grade > k) (..., K - 1)."""
    exceed = torch.sigmoid(exceed_logits)
    ones, zeros = torch.ones_like(exceed[..., :1]), torch.zeros_like(exceed[..., :1])
    steps = torch.cat([ones, exceed], dim=-1) - torch.cat([exceed, zeros], dim=-1)
    return steps.clamp_min(1e-7).log()
