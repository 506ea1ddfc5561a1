"""The Adaptive PID-Tversky loss against MONAI, formulas by hand, and the controller's habits."""

import math
from itertools import pairwise

import pytest
import torch

from segmentation.pid_tversky import ErrorKind, PidGains, PIDTverskyLoss
from segmentation.training.losses import level_loss, masked_cross_entropy


def _example(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 9, 7, generator=generator, requires_grad=True)
    target = (torch.rand(2, classes, 9, 7, generator=generator) > 0.6).float()
    return logits, target


def _confident(recall: float, classes: int = 1, pixels: int = 1000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that find exactly ``recall`` of the positive half of the pixels, and nothing false."""
    target = torch.zeros(1, classes, 1, 2 * pixels)
    target[..., :pixels] = 1
    logits = torch.full_like(target, -30.0)
    logits[..., : round(recall * pixels)] = 30.0
    return logits, target


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("over_batch", [False, True])
def test_equals_monai_at_zero_gains(beta: float, over_batch: bool) -> None:
    from monai.losses import TverskyLoss

    logits, target = _example()
    ours = PIDTverskyLoss(3, beta=beta, over_batch=over_batch)(logits, target)
    reference = TverskyLoss(sigmoid=True, alpha=1 - beta, beta=beta, batch=over_batch)(logits, target)
    gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (ours, reference)]
    assert float(ours.detach()) == pytest.approx(float(reference.detach()), abs=1e-6)
    assert torch.allclose(*gradients, atol=1e-6)


def test_zero_gains_leave_beta_alone_over_epochs() -> None:
    loss = PIDTverskyLoss(1, beta=0.95)  # outside the limits on purpose
    for recall in (0.2, 0.9, 0.5):
        loss(*_confident(recall))
        loss.end_epoch()
    assert loss.beta.tolist() == pytest.approx([0.95])


def test_index_by_hand() -> None:
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    logits = torch.tensor([[[[40.0, -40.0, 40.0, -40.0]]]])  # one hit, one miss, one false alarm
    loss = PIDTverskyLoss(1, beta=0.7, smooth_nr=0.0, smooth_dr=0.0)(logits, target)
    assert float(loss) == pytest.approx(1 - 1 / (1 + 0.3 * 1 + 0.7 * 1))


def test_focal_exponent_by_hand() -> None:
    logits, target = _confident(0.5)
    plain = float(PIDTverskyLoss(1, smooth_nr=0.0, smooth_dr=0.0)(logits, target))
    assert float(PIDTverskyLoss(1, smooth_nr=0.0, smooth_dr=0.0, focal=0.75)(logits, target)) == pytest.approx(plain**0.75)


def test_unknown_pixels_do_not_count() -> None:
    logits, target = _example()
    weight = torch.ones_like(target)
    weight[..., 4:] = 0
    changed = torch.where(weight > 0, target, 1 - target)
    loss = PIDTverskyLoss(3)
    assert float(loss(logits, target, weight).detach()) == pytest.approx(
        float(loss(logits, changed, weight).detach())
    )


def test_class_without_known_pixels_leaves_the_mean() -> None:
    logits, target = _example()
    weight = torch.ones_like(target)
    weight[:, 2] = 0
    masked = PIDTverskyLoss(3)(logits, target, weight).detach()
    two_only = PIDTverskyLoss(2)(logits[:, :2], target[:, :2]).detach()
    assert float(masked) == pytest.approx(float(two_only))


def test_low_recall_raises_beta_of_that_class_only() -> None:
    loss = PIDTverskyLoss(2, gains=PidGains(proportional=0.5), set_point=0.9)
    logits, target = _confident(0.9, classes=2)
    logits[:, 0] = _confident(0.5)[0][:, 0]
    loss(logits, target)
    course = loss.end_epoch()
    assert course["recall"] == pytest.approx([0.5, 0.9], abs=1e-6)
    assert loss.beta.tolist() == pytest.approx([0.5 + 0.5 * 0.4, 0.5], abs=1e-5)


def test_precision_recall_gap_lowers_beta_when_precision_is_low() -> None:
    loss = PIDTverskyLoss(1, gains=PidGains(proportional=0.4), error=ErrorKind.PRECISION_RECALL_GAP)
    _, target = _confident(1.0)
    loss(torch.full_like(target, 30.0), target)  # everything positive: recall 1, precision 0.5
    loss.end_epoch()
    assert loss.beta.tolist() == pytest.approx([0.5 - 0.4 * 0.5], abs=1e-5)


def test_beta_follows_the_pid_formula() -> None:
    gains = PidGains(proportional=0.3, integral=0.05, derivative=0.2, derivative_filter=0.5)
    loss = PIDTverskyLoss(1, gains=gains, set_point=0.9)
    recalls = [0.6, 0.7, 0.8]
    for recall in recalls:
        loss(*_confident(recall))
        loss.end_epoch()
    errors = [0.9 - recall for recall in recalls]
    derivative = 0.0
    for before, after in pairwise(errors):
        derivative = 0.5 * derivative + 0.5 * (after - before)
    expected = 0.5 + 0.3 * errors[-1] + 0.05 * sum(errors) + 0.2 * derivative
    assert float(loss.beta) == pytest.approx(expected, abs=1e-5)


def test_beta_is_clipped_and_the_sum_does_not_wind_up() -> None:
    gains = PidGains(proportional=0.1, integral=0.3, beta_high=0.8)
    loss = PIDTverskyLoss(1, gains=gains, set_point=0.9)
    for _ in range(20):
        loss(*_confident(0.1))
        loss.end_epoch()
    assert float(loss.beta) == pytest.approx(0.8)
    assert float(loss.integral) < 1.0  # twenty errors of 0.8 would sum to 16
    loss(*_confident(1.0))
    loss.end_epoch()
    assert float(loss.beta) < 0.8  # leaves the limit at once


def test_epoch_without_positives_keeps_beta() -> None:
    loss = PIDTverskyLoss(1, gains=PidGains(proportional=1.0))
    loss(torch.full((1, 1, 4, 4), -5.0), torch.zeros(1, 1, 4, 4))
    course = loss.end_epoch()
    assert math.isnan(course["recall"][0])
    assert loss.beta.tolist() == [0.5]


def test_counts_are_of_training_only_and_begin_anew() -> None:
    loss = PIDTverskyLoss(1)
    loss(*_confident(0.4))
    loss.eval()
    loss(*_confident(1.0))
    assert loss.end_epoch()["recall"] == pytest.approx([0.4])
    assert float(loss.counts.sum()) == 0


def test_state_round_trip_goes_on_alike() -> None:
    gains = PidGains(proportional=0.3, integral=0.05, derivative=0.2)
    first, second = (PIDTverskyLoss(1, gains=gains) for _ in range(2))
    first(*_confident(0.6))
    first.end_epoch()
    first(*_confident(0.7))
    second.load_state_dict(first.state_dict())
    assert first.end_epoch() == second.end_epoch()
    assert torch.equal(first.derivative, second.derivative)


def test_level_loss_prefers_the_right_place() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[0, 0, 2, 3], target[0, 0, 2, 4], target[0, 0, 3, 3] = 1.0, 0.6, 0.6
    right, wrong = torch.full((1, 1, 8, 8), -4.0), torch.full((1, 1, 8, 8), -4.0)
    right[0, 0, 2, 3], wrong[0, 0, 6, 6] = 4.0, 4.0
    weight = torch.ones(1)
    assert level_loss(right, target, weight) < 0.5 * level_loss(wrong, target, weight)


def test_level_loss_of_images_without_points_is_zero() -> None:
    logits = torch.randn(2, 5, 8, 8)
    assert float(level_loss(logits, torch.zeros(2, 5, 8, 8), torch.zeros(2))) == 0.0


def test_masked_cross_entropy_by_hand() -> None:
    logits, target = torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    known = torch.tensor([[[[1.0, 0.0]]]])
    assert float(masked_cross_entropy(logits, target, known)) == pytest.approx(math.log(2))
    assert float(masked_cross_entropy(logits, target, torch.zeros_like(known))) == 0.0
