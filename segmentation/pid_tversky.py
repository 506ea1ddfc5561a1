"""Adaptive PID-Tversky loss: the cost of a missed pixel is steered, per class, until recall is where it should be.

Tversky index of class c: TP / (TP + alpha_c FP + beta_c FN), alpha_c = 1 - beta_c. At the end of each epoch a PID
controller moves beta_c by the error e_c = recall set point - measured recall (or precision - recall): missed
pixels too many, beta up. With zero gains it is the Tversky loss.

Source: Salehi et al., MLMI 2017 (Tversky loss); Abraham and Khan, ISBI 2019 (focal exponent); Astrom and
Murray, Feedback Systems, 2008, chapter 10 (conditional integration, filtered derivative).
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional


class ErrorKind(StrEnum):
    """What the controller steers."""

    RECALL_SET_POINT = "recall_set_point"
    PRECISION_RECALL_GAP = "precision_recall_gap"


@dataclass(frozen=True)
class PidGains:
    """Gains and limits of the controller.

    Attributes:
        proportional: Kp.
        integral: Ki, per epoch.
        derivative: Kd, in epochs.
        derivative_filter: Share of the old derivative kept each epoch, 0 (none) to below 1.
        beta_low: Smallest beta.
        beta_high: Largest beta.
    """

    proportional: float = 0.0
    integral: float = 0.0
    derivative: float = 0.0
    derivative_filter: float = 0.5
    beta_low: float = 0.2
    beta_high: float = 0.9


class PIDTverskyLoss(nn.Module):
    """Tversky loss whose beta follows a PID controller per class.

    Args:
        classes: Number of classes C.
        beta: Beta at the start; alpha is 1 - beta.
        gains: Controller; the default, all zero, leaves beta alone.
        set_point: Recall to reach (``recall_set_point`` only).
        error: What is steered.
        focal: Exponent on (1 - index); 1 is the plain loss.
        smooth: Added to numerator and denominator.
        over_batch: Sum TP, FP and FN over the batch before the index (an absent structure then costs little).
    """

    def __init__(
        self,
        classes: int,
        *,
        beta: float = 0.5,
        gains: PidGains | None = None,
        set_point: float = 0.95,
        error: ErrorKind = ErrorKind.RECALL_SET_POINT,
        focal: float = 1.0,
        smooth: float = 1e-5,
        over_batch: bool = False,
    ) -> None:
        super().__init__()
        self.gains = gains or PidGains()
        self.set_point, self.error, self.focal, self.smooth = set_point, error, focal, smooth
        self.over_batch = over_batch
        self.beta: Tensor
        self.beta_start: Tensor
        self.counts: Tensor
        self.integral: Tensor
        self.derivative: Tensor
        self.last_error: Tensor
        self.register_buffer("beta", torch.full((classes,), beta))
        self.register_buffer("beta_start", torch.full((classes,), beta))
        self.register_buffer("counts", torch.zeros(3, classes, dtype=torch.float64))  # TP, FP, FN of the epoch
        self.register_buffer("integral", torch.zeros(classes))
        self.register_buffer("derivative", torch.zeros(classes))
        self.register_buffer("last_error", torch.full((classes,), float("nan")))

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            logits: (B, C, H, W).
            target: (B, C, H, W), 0 or 1.
            weight: (B, C, H, W) or broadcastable, 0 where nothing is known; None counts every pixel. A class with
                no known pixel does not enter the mean.
        """
        probability = logits.sigmoid()
        known = torch.ones_like(target) if weight is None else weight.expand_as(target)
        hit = (probability * target * known).flatten(2).sum(2)  # (B, C)
        false_positive = (probability * known).flatten(2).sum(2) - hit
        false_negative = (target * known).flatten(2).sum(2) - hit
        self._accumulate(hit, false_positive, false_negative)
        seen = known.flatten(2).amax(2) > 0
        if self.over_batch:
            hit, false_positive, false_negative = (x.sum(0, True) for x in (hit, false_positive, false_negative))
            seen = seen.any(0, keepdim=True)
        weighted = (1 - self.beta) * false_positive + self.beta * false_negative
        index = (hit + self.smooth) / (hit + weighted + self.smooth)
        cost = (1 - index).clamp_min(0) ** self.focal if self.focal != 1.0 else 1 - index
        return (cost * seen).sum() / seen.sum().clamp_min(1)

    @torch.no_grad()
    def _accumulate(self, hit: Tensor, false_positive: Tensor, false_negative: Tensor) -> None:
        if self.training:
            self.counts += torch.stack([hit.sum(0), false_positive.sum(0), false_negative.sum(0)]).double()

    @torch.no_grad()
    def end_epoch(self) -> dict[str, list[float]]:
        """Move beta by what the epoch showed, and begin the next one.

        Ranks of a distributed run sum their counts first, so that all hold the same beta. A class with no positive
        pixel in the epoch keeps its beta.

        Returns:
            ``recall``, ``precision`` and the new ``beta`` per class.
        """
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(self.counts)
        hit, false_positive, false_negative = self.counts
        recall = (hit / (hit + false_negative)).float()
        precision = (hit / (hit + false_positive)).float()
        error = self.set_point - recall if self.error is ErrorKind.RECALL_SET_POINT else precision - recall
        self._control(error, is_known=(hit + false_negative > 0) & error.isfinite())
        self.counts.zero_()
        return {"recall": recall.tolist(), "precision": precision.tolist(), "beta": self.beta.tolist()}

    @torch.no_grad()
    def reset(self) -> None:
        """Put the controller to rest: beta as at the start, nothing summed."""
        self.beta.copy_(self.beta_start)
        for buffer in (self.counts, self.integral, self.derivative):
            buffer.zero_()
        self.last_error.fill_(float("nan"))

    def _control(self, error: Tensor, *, is_known: Tensor) -> None:
        """Clip(beta_0 + Kp e + Ki sum(e) + Kd delta(e)); the sum stands still while it would push past a limit."""
        gains = self.gains
        change = torch.where(self.last_error.isnan(), torch.zeros_like(error), error - self.last_error)
        derivative = gains.derivative_filter * self.derivative + (1 - gains.derivative_filter) * change
        integral = self.integral + error
        raw = self._beta_of(error, integral, derivative)
        is_winding = ((raw > gains.beta_high) & (error > 0)) | ((raw < gains.beta_low) & (error < 0))
        beta = raw.clamp(gains.beta_low, gains.beta_high)
        integral = torch.where(is_winding, self.integral, integral)
        if gains.proportional == gains.integral == gains.derivative == 0.0:
            beta = self.beta_start  # zero gains: exactly the Tversky loss, whatever the limits
        for buffer, value in (
            (self.beta, beta),
            (self.integral, integral),
            (self.derivative, derivative),
            (self.last_error, error),
        ):
            buffer.copy_(torch.where(is_known, value, buffer))

    def _beta_of(self, error: Tensor, integral: Tensor, derivative: Tensor) -> Tensor:
        gains = self.gains
        return (
            self.beta_start
            + gains.proportional * error
            + gains.integral * integral
            + gains.derivative * derivative
        )


def level_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the loss of level heat maps, a scalar.

    Two terms on the same logits: a cross-entropy over places (which place is the level's, for levels in view) and
    a binary cross-entropy (is it here at all), its positives raised so that the few bright pixels count.

    Args:
        logits: (B, L, h, w).
        target: (B, L, h, w), 0 to 1, a Gaussian at the point; all zero where the level is out of view.
        weight: (B,), 0 where the image has no points.
    """
    samples = weight.sum().clamp_min(1)
    binary = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + 20 * target)
    binary_term = (binary.flatten(1).mean(1) * weight).sum() / samples
    mass = target.flatten(2).sum(2)  # (B, L)
    place = -(target.flatten(2) * logits.flatten(2).log_softmax(2)).sum(2) / mass.clamp_min(1e-6)
    in_view = (mass > 1) * weight[:, None]
    place_term = (place * in_view).sum() / in_view.sum().clamp_min(1)
    return 20 * binary_term + 0.2 * place_term
