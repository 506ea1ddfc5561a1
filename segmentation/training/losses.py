"""The training objective: an overlap loss and cross-entropy on masks, place and presence of levels.

Source: Isensee et al., Nature Methods 2021 (overlap loss and cross-entropy, equally weighted; TP, FP and FN summed
over the batch); Salehi et al., MLMI 2017 (Tversky: false negatives 0.7, false positives 0.3 gave the best Dice and
F2); Abraham and Khan, ISBI 2019 (Focal Tversky: 0.7, 0.3, exponent 1 / gamma with gamma 4/3).
"""

from collections.abc import Mapping
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import ConfigError
from segmentation.model import NetworkOutput
from segmentation.pid_tversky import ErrorKind, PidGains, PIDTverskyLoss
from segmentation.training.augment import Batch
from segmentation.training.config import PidConfig


class RegionLoss(StrEnum):
    """The overlap loss. All are the Tversky loss; they differ in beta, in the exponent and in who sets beta."""

    DICE = "dice"
    TVERSKY = "tversky"
    FOCAL_TVERSKY = "focal_tversky"
    PID_TVERSKY = "pid_tversky"


_FIXED = {RegionLoss.DICE: (0.5, 1.0), RegionLoss.TVERSKY: (0.7, 1.0), RegionLoss.FOCAL_TVERSKY: (0.7, 0.75)}
"""Beta and focal exponent as published (sources above); soft Dice is the Tversky index at beta 0.5."""


class Objective(nn.Module):
    """The weighted sum of the three terms.

    Args:
        classes: Structures.
        pid: Controller of ``pid_tversky``; the other overlap losses leave it out.
        weights: Of ``tversky`` (whichever overlap loss it is), ``cross_entropy`` and ``level``.
        region_loss: Overlap loss, a name of ``RegionLoss``.

    Raises:
        ConfigError: If there is no such overlap loss, or a value of ``pid`` is outside its range.
    """

    def __init__(
        self, classes: int, pid: PidConfig, weights: Mapping[str, float], region_loss: str = RegionLoss.PID_TVERSKY
    ) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.errors = [ErrorKind(name) for name in pid.errors]
        self.tversky = build_region_loss(classes, region_loss, pid)

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


def build_region_loss(classes: int, name: str, pid: PidConfig) -> PIDTverskyLoss:
    """Return the overlap loss of a name; recall and precision are counted whichever it is.

    Raises:
        ConfigError: If there is no such loss, or a value of ``pid`` is outside its range.
    """
    if name not in list(RegionLoss):
        raise ConfigError(f"region_loss: expected one of {', '.join(RegionLoss)}, got {name!r}")
    if name != RegionLoss.PID_TVERSKY:
        beta, focal = _FIXED[RegionLoss(name)]
        return PIDTverskyLoss(classes, beta=beta, focal=focal, over_batch=True)
    gains = PidGains(
        pid.proportional,
        pid.integral,
        pid.derivative,
        derivative_filter=pid.derivative_filter,
        beta_low=pid.beta_low,
        beta_high=pid.beta_high,
    )
    return PIDTverskyLoss(
        classes, beta=pid.beta, gains=gains, set_point=pid.set_point, focal=pid.focal, over_batch=True
    )


def masked_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return binary cross-entropy over known pixels, a scalar; zero when nothing is known."""
    cost = functional.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    return cost / weight.sum().clamp_min(1)


def level_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the loss of level heat maps, a scalar; zero when nothing is known.

    Two terms on the same logits: a cross-entropy over places (which place is the level's, for levels in view) and
    a binary cross-entropy (is it here at all), its positives raised so that the few bright pixels count. The
    factors (20, 20, 0.2) are own choice.

    Args:
        logits: (B, L, h, w).
        target: (B, L, h, w), 0 to 1, a Gaussian at the point; all zero where the level is out of view.
        weight: (B,) or (B, L), 0 where the image, or the level in it, is unknown.
    """
    known = (weight if weight.ndim == 2 else weight[:, None]).expand(logits.shape[:2])  # (B, L)
    binary = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + 20 * target)
    binary_term = (binary.flatten(2).mean(2) * known).sum() / known.sum().clamp_min(1)
    mass = target.flatten(2).sum(2)  # (B, L)
    place = -(target.flatten(2) * logits.flatten(2).log_softmax(2)).sum(2) / mass.clamp_min(1e-6)
    in_view = (mass > 1) * known
    place_term = (place * in_view).sum() / in_view.sum().clamp_min(1)
    return 20 * binary_term + 0.2 * place_term
