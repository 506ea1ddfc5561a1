"""The training objective: Adaptive PID-Tversky and cross-entropy on masks, place and presence of levels."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.model import NetworkOutput
from segmentation.pid_tversky import ErrorKind, PidGains, PIDTverskyLoss, level_loss
from segmentation.training.augment import Batch
from segmentation.training.config import PidConfig


class Objective(nn.Module):
    """The weighted sum of the three terms.

    Args:
        classes: Structures.
        pid: Controller of the Tversky loss.
        weights: Of ``tversky``, ``cross_entropy`` and ``level``.
    """

    def __init__(self, classes: int, pid: PidConfig, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.errors = [ErrorKind(name) for name in pid.errors]
        self.tversky = PIDTverskyLoss(
            classes,
            beta=pid.beta,
            gains=PidGains(
                pid.proportional, pid.integral, pid.derivative, beta_low=pid.beta_low, beta_high=pid.beta_high
            ),
            set_point=pid.set_point,
            focal=pid.focal,
            over_batch=True,
        )

    def begin_cycle(self, cycle: int, *, is_new: bool) -> None:
        """Steer what this cycle asks for; a new cycle begins with the controller at rest."""
        self.tversky.error = self.errors[min(cycle, len(self.errors) - 1)]
        if is_new:
            self.tversky.reset()

    def measure(self, output: NetworkOutput, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its terms."""
        terms = {
            "tversky": self.tversky(output.mask_logits, batch.masks, batch.mask_weight),
            "cross_entropy": masked_cross_entropy(output.mask_logits, batch.masks, batch.mask_weight),
            "level": level_loss(output.level_logits, batch.levels, batch.level_weight),
        }
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return total, {name: float(term.detach()) for name, term in terms.items()}


def masked_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return binary cross-entropy over known pixels, a scalar; zero when nothing is known."""
    cost = functional.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    return cost / weight.sum().clamp_min(1)
