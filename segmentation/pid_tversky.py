"""Adaptive PID-Tversky loss: the cost of a missed pixel is steered, per class, until recall is where it should be.

Tversky index of class c: TP / (TP + alpha_c FP + beta_c FN), alpha_c = 1 - beta_c. At the end of each epoch a PID
controller moves beta_c by the error e_c = recall set point - measured recall (or precision - recall): missed
pixels too many, beta up. With zero gains it is the Tversky loss. docs/decisions/0007 says why it is built so.

Source: Salehi et al., MLMI 2017 (Tversky loss); Abraham and Khan, ISBI 2019 (focal exponent); Astrom and
Murray, Feedback Systems, 2008, chapter 10 (conditional integration, filtered derivative).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, distributed, nn

from runtime.errors import ConfigError

_LEAST_COST = 1e-7
"""Below it a focal exponent under 1 has no usable slope (infinite at zero); own choice, one float32 step of 1."""


_COUNTS = "counts"
"""Key of the counts in ``state_dict``."""


class ErrorKind(StrEnum):
    """What the controller steers."""

    RECALL_SET_POINT = "recall_set_point"
    PRECISION_RECALL_GAP = "precision_recall_gap"


@dataclass(frozen=True)
class PidGains:
    """Gains and limits of the controller.

    Attributes:
        proportional: Kp, 0 or more.
        integral: Ki, per epoch, 0 or more.
        derivative: Kd, in epochs, 0 or more.
        derivative_filter: Share of the old derivative kept each epoch, 0 (none) to below 1.
        beta_low: Smallest beta, 0 or more.
        beta_high: Largest beta, at most 1.

    Raises:
        ConfigError: If a value is outside its range.
    """

    proportional: float = 0.0
    integral: float = 0.0
    derivative: float = 0.0
    derivative_filter: float = 0.5
    beta_low: float = 0.2
    beta_high: float = 0.9

    def __post_init__(self) -> None:
        for name in ("proportional", "integral", "derivative"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: expected a gain of 0 or more, got {getattr(self, name)!r}")
        if not 0 <= self.derivative_filter < 1:
            raise ConfigError(f"derivative_filter: expected 0 to below 1, got {self.derivative_filter!r}")
        if not 0 <= self.beta_low <= self.beta_high <= 1:
            raise ConfigError(
                f"beta_low, beta_high: expected 0 <= low <= high <= 1, got {self.beta_low!r}, {self.beta_high!r}"
            )

    @property
    def are_zero(self) -> bool:
        """Return whether the controller is off."""
        return self.proportional == self.integral == self.derivative == 0.0


class PIDTverskyLoss(nn.Module):
    """Tversky loss whose beta follows a PID controller per class.

    TP, FP and FN of the epoch are counted softly, in training mode and with gradients on only. Each rank of a
    distributed run counts its own and ``end_epoch`` sums them, so ``counts`` is no buffer: at each forward pass
    DistributedDataParallel overwrites the buffers of every rank with those of rank 0. It is in ``state_dict`` all
    the same. The controller's own state is in buffers: all ranks hold the same.

    Args:
        classes: Number of classes C.
        beta: Beta at the start, 0 to 1; alpha is 1 - beta.
        gains: Controller; the default, all zero, leaves beta alone.
        set_point: Recall to reach, above 0 and at most 1 (``recall_set_point`` only).
        error: What is steered; may be set anew later, best together with ``reset``.
        focal: Exponent on (1 - index), above 0; 1 is the plain loss.
        smooth_nr: Added to the numerator of the index; as in MONAI.
        smooth_dr: Added to its denominator; as in MONAI.
        over_batch: Sum TP, FP and FN over the batch before the index (an absent structure then costs little).

    Raises:
        ConfigError: If a value is outside its range.
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
        smooth_nr: float = 1e-5,
        smooth_dr: float = 1e-5,
        over_batch: bool = False,
    ) -> None:
        super().__init__()
        _check(beta=beta, set_point=set_point, focal=focal)
        self.gains = gains or PidGains()
        self.set_point, self.error, self.focal = set_point, error, focal
        self.smooth_nr, self.smooth_dr, self.over_batch = smooth_nr, smooth_dr, over_batch
        self.counts = torch.zeros(3, classes, dtype=torch.float64)  # TP, FP, FN of the epoch, of this rank
        self.beta: Tensor
        self.beta_start: Tensor
        self.integral: Tensor
        self.derivative: Tensor
        self.last_error: Tensor
        self.register_buffer("beta", torch.full((classes,), beta))
        self.register_buffer("beta_start", torch.full((classes,), beta))
        self.register_buffer("integral", torch.zeros(classes))
        self.register_buffer("derivative", torch.zeros(classes))
        self.register_buffer("last_error", torch.full((classes,), float("nan")))

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar; in single precision whatever that of the logits.

        Args:
            logits: (B, C, H, W).
            target: (B, C, H, W), 0 or 1.
            weight: (B, C, H, W), or 1 in place of any of these; 0 where nothing is known; None counts every pixel.
                A class with no known pixel does not enter the mean.

        Raises:
            ValueError: If target or weight do not fit the logits, or there are not C classes.
        """
        self._check_shapes(logits, target, weight)
        hit, false_positive, false_negative = _soft_counts(logits, target, weight)  # each (B, C)
        if self.training and torch.is_grad_enabled():
            self._accumulate(hit, false_positive, false_negative)
        seen = None if weight is None else (weight.flatten(2).amax(2) > 0).expand_as(hit)
        if self.over_batch:
            hit, false_positive, false_negative = (x.sum(0, True) for x in (hit, false_positive, false_negative))
            seen = None if seen is None else seen.any(0, keepdim=True)
        beta = self.beta.clone()  # the graph keeps its own: end_epoch or DDP may write the buffer before backward
        denominator = hit + (1 - beta) * false_positive + beta * false_negative + self.smooth_dr
        if seen is None:
            return self._cost((hit + self.smooth_nr) / denominator).mean()
        index = (hit + self.smooth_nr) / denominator.masked_fill(~seen, 1.0)  # no 0 / 0 without smoothing
        return (self._cost(index) * seen).sum() / seen.sum().clamp_min(1)

    def _check_shapes(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> None:
        if logits.shape != target.shape or logits.shape[1] != len(self.beta):
            raise ValueError(
                f"expected logits and target of one shape with {len(self.beta)} classes, "
                f"got {tuple(logits.shape)} and {tuple(target.shape)}"
            )
        given, full = logits.shape if weight is None else weight.shape, logits.shape
        if len(given) != len(full) or any(x not in (1, y) for x, y in zip(given, full, strict=True)):
            raise ValueError(f"weight: expected {tuple(full)}, or 1 for some sizes, got {tuple(given)}")

    def _cost(self, index: Tensor) -> Tensor:
        return 1 - index if self.focal == 1.0 else (1 - index).clamp_min(_LEAST_COST) ** self.focal

    @torch.no_grad()
    def _accumulate(self, hit: Tensor, false_positive: Tensor, false_negative: Tensor) -> None:
        """Add a training step to the epoch's counts; a class whose numbers are not finite in it adds nothing."""
        step = torch.stack([hit.sum(0), false_positive.sum(0), false_negative.sum(0)]).double()
        self.counts = self.counts.to(step.device)
        self.counts += torch.where(step.isfinite().all(0), step, 0.0)

    @torch.no_grad()
    def end_epoch(self) -> dict[str, list[float]]:
        """Move beta by what the epoch showed, and begin the next one.

        Every rank of a distributed run calls it; they sum their counts first, so that all hold the same beta. A
        class with no positive pixel in the epoch keeps its beta and all else that is held of it.

        Returns:
            ``recall``, ``precision`` (nan: unknown) and the new ``beta`` per class.
        """
        hit, false_positive, false_negative = self._sum_over_ranks()
        recall = (hit / (hit + false_negative)).float()
        precision = (hit / (hit + false_positive)).float()
        error = self.set_point - recall if self.error is ErrorKind.RECALL_SET_POINT else precision - recall
        self._control(error, is_known=error.isfinite())
        self.counts.zero_()
        return {"recall": recall.tolist(), "precision": precision.tolist(), "beta": self.beta.tolist()}

    @torch.no_grad()
    def gather_counts(self) -> None:
        """Hand the counts of all ranks to rank 0, which writes the checkpoint; every rank calls it before that.

        The sum over ranks, all that ``end_epoch`` looks at, stays as it is. Without it a checkpoint within an
        epoch would lose what the other ranks counted.
        """
        self._sum_over_ranks()
        if _rank() > 0:
            self.counts.zero_()

    def _sum_over_ranks(self) -> Tensor:
        self.counts = self.counts.to(self.beta.device)
        if _is_distributed():
            distributed.all_reduce(self.counts)
        return self.counts

    @torch.no_grad()
    def reset(self) -> None:
        """Put the controller to rest: beta as at the start, nothing summed."""
        self.beta.copy_(self.beta_start)
        for tensor in (self.counts, self.integral, self.derivative):
            tensor.zero_()
        self.last_error.fill_(float("nan"))

    def _control(self, error: Tensor, *, is_known: Tensor) -> None:
        """Clip(beta_0 + Kp e + Ki sum(e) + Kd delta(e)); the sum stands still while it would push past a limit."""
        gains = self.gains
        change = torch.where(self.last_error.isnan(), torch.zeros_like(error), error - self.last_error)
        derivative = gains.derivative_filter * self.derivative + (1 - gains.derivative_filter) * change
        integral = self.integral + error
        raw = (
            self.beta_start
            + gains.proportional * error
            + gains.integral * integral
            + gains.derivative * derivative
        )
        is_winding = ((raw > gains.beta_high) & (error > 0)) | ((raw < gains.beta_low) & (error < 0))
        beta = raw.clamp(gains.beta_low, gains.beta_high)
        for buffer, value in (
            (self.beta, self.beta_start if gains.are_zero else beta),  # off: the start, whatever the limits
            (self.integral, torch.where(is_winding, self.integral, integral)),
            (self.derivative, derivative),
            (self.last_error, error),
        ):
            buffer.copy_(torch.where(is_known, value, buffer))

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + _COUNTS] = self.counts

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the buffers, and the counts on rank 0 only: it went on for all ranks (see ``gather_counts``)."""
        counts = state_dict.pop(prefix + _COUNTS, None)  # before the base class sees a key that is no buffer
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if counts is None:
            missing_keys.append(prefix + _COUNTS)
        elif counts.shape != self.counts.shape:
            expected = tuple(self.counts.shape)
            error_msgs.append(f"{prefix}{_COUNTS}: expected shape {expected}, got {tuple(counts.shape)}")
        else:
            self.counts.copy_(counts if _rank() == 0 else torch.zeros_like(counts))


def _soft_counts(logits: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return soft TP, FP and FN over pixels, each (B, C)."""
    probability = logits.float().sigmoid()
    if weight is not None:
        probability = probability * weight
    hit = (probability * target).flatten(2).sum(2)
    positive = target if weight is None else target * weight
    return hit, probability.flatten(2).sum(2) - hit, positive.flatten(2).sum(2) - hit


def _check(*, beta: float, set_point: float, focal: float) -> None:
    if not 0 <= beta <= 1:
        raise ConfigError(f"beta: expected 0 to 1, got {beta!r}")
    if not 0 < set_point <= 1:
        raise ConfigError(f"set_point: expected above 0 and at most 1, got {set_point!r}")
    if not focal > 0:
        raise ConfigError(f"focal: expected an exponent above 0, got {focal!r}")


def _is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _rank() -> int:
    return distributed.get_rank() if _is_distributed() else 0
