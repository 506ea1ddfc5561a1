"""At zero gains the loss is MONAI's TverskyLoss, forward and gradient, on any shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceLoss, MaskedLoss, TverskyLoss
from torch import Tensor

from segmentation.pid_tversky import PidGains, PIDTverskyLoss
from segmentation.training.config import PidConfig
from segmentation.training.losses import build_region_loss

TOLERANCE = 1e-6


def same(ours: Tensor, reference: Tensor, logits: Tensor) -> None:
    """Compare value and gradient."""
    assert abs(float(ours.detach()) - float(reference.detach())) <= TOLERANCE
    (gradient,) = torch.autograd.grad(ours, logits, retain_graph=True)
    (expected,) = torch.autograd.grad(reference, logits)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(gradient, expected, rtol=0, atol=TOLERANCE)


def example(seed: int, shape: tuple[int, ...], share: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = (4 * torch.randn(shape, generator=generator)).requires_grad_()
    return logits, (torch.rand(shape, generator=generator) < share).float()


SHAPES = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.integers(1, 2), st.integers(1, 3), *[st.integers(1, 8)] * 3),  # volumes
)


@settings(max_examples=150)
@given(
    shape=SHAPES,
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.0, 0.02, 0.3, 1.0]),  # also nothing and everything positive
    beta=st.floats(0, 1, width=32),  # as the loss holds it
    smooth=st.tuples(st.sampled_from([1e-5, 1e-3, 1.0]), st.sampled_from([1e-5, 1e-3, 1.0])),
    over_batch=st.booleans(),
    states_focal=st.booleans(),
)
def test_any_shape_and_setting(
    shape: tuple[int, ...],
    seed: int,
    share: float,
    beta: float,
    smooth: tuple[float, float],
    over_batch: bool,
    states_focal: bool,
) -> None:
    logits, target = example(seed, shape, share)
    focal = {"focal": 1.0} if states_focal else {}
    ours = PIDTverskyLoss(
        shape[1], beta=beta, smooth_nr=smooth[0], smooth_dr=smooth[1], over_batch=over_batch, **focal
    )
    theirs = TverskyLoss(
        sigmoid=True, alpha=1 - beta, beta=beta, smooth_nr=smooth[0], smooth_dr=smooth[1], batch=over_batch
    )
    value, reference = ours(logits, target), theirs(logits, target)
    assert abs(float(value.detach()) - float(reference.detach())) <= TOLERANCE
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (value, reference)]
    torch.testing.assert_close(*gradients, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("over_batch", [False, True])
def test_still_equal_after_epochs(over_batch: bool) -> None:
    logits, target = example(1, (4, 3, 16, 12))
    ours = PIDTverskyLoss(3, beta=0.7, gains=PidGains(), over_batch=over_batch)
    for _ in range(3):
        ours(logits, target)
        ours.end_epoch()
    same(
        ours(logits, target),
        TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=over_batch)(logits, target),
        logits,
    )


@pytest.mark.parametrize("over_batch", [False, True])
@pytest.mark.parametrize("mask_classes", [1, 3])
def test_mask_of_known_pixels_equals_masked_loss(over_batch: bool, mask_classes: int) -> None:
    logits, target = example(2, (4, 3, 16, 12))
    mask = (torch.rand(4, 1, 16, 12, generator=torch.Generator().manual_seed(3)) > 0.4).float()
    ours = PIDTverskyLoss(3, beta=0.6, over_batch=over_batch)
    reference = MaskedLoss(TverskyLoss(alpha=0.4, beta=0.6, batch=over_batch))
    same(
        ours(logits, target, mask.expand(4, mask_classes, 16, 12)),
        reference(logits.sigmoid(), target, mask),
        logits,
    )


@pytest.mark.parametrize("focal", [0.75, 2.0])
def test_focal_exponent_is_on_each_class(focal: float) -> None:
    logits, target = example(4, (2, 3, 16, 12))
    ours = PIDTverskyLoss(3, beta=0.7, focal=focal)(logits, target)
    each = TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, reduction="none")(logits, target)
    same(ours, (each**focal).mean(), logits)


def test_overlap_losses_of_the_ablation() -> None:
    logits, target = example(5, (4, 3, 16, 12))
    pid = PidConfig()
    tversky = {"sigmoid": True, "alpha": 0.3, "beta": 0.7, "batch": True}
    # (I + s) / (P / 2 + T / 2 + s) is (2 I + 2 s) / (P + T + 2 s)
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=2e-5, smooth_dr=2e-5)
    same(build_region_loss(3, "dice", pid)(logits, target), dice(logits, target), logits)
    same(build_region_loss(3, "tversky", pid)(logits, target), TverskyLoss(**tversky)(logits, target), logits)
    focal = (TverskyLoss(**tversky, reduction="none")(logits, target) ** 0.75).mean()
    same(build_region_loss(3, "focal_tversky", pid)(logits, target), focal, logits)
    started = TverskyLoss(sigmoid=True, batch=True)(logits, target)  # beta 0.5 until the first epoch ends
    same(build_region_loss(3, "pid_tversky", pid)(logits, target), started, logits)
