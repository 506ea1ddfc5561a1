"""Cumulative-link head for ordered grades: one score and rising cut points, so the grades are monotone in it.

P(grade > k) = sigmoid(score - cut_k) with cut_1 < cut_2 < ...; a higher score never makes a lower grade likelier.
Source: McCullagh, Regression models for ordinal data, J R Stat Soc B 1980;42:109-142 (proportional odds).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_GAIN = 5.0
"""Cut points are kept in units of so many logits. Adam moves every parameter by the same small steps, so cut
points kept in logits would hardly leave their start within a run, and a step between narrow cuts would never be
named."""
_FIRST_GAP = 2.0  # logits between neighbouring cuts of a fresh head; own choice


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
        self.first_cut = nn.Parameter(torch.tensor(-_FIRST_GAP * (steps - 2) / 2 / _GAIN))
        raw_gap = torch.tensor(_FIRST_GAP).expm1().log() / _GAIN  # softplus undone
        self.raw_gaps = nn.Parameter(raw_gap.repeat(steps - 2))

    def cuts(self) -> Tensor:
        """Return the cut points (K - 1,), strictly rising."""
        gaps = functional.softplus(_GAIN * self.raw_gaps) + 1e-3
        first = _GAIN * self.first_cut.view(1)
        return torch.cat([first, first + gaps.cumsum(0)])

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
