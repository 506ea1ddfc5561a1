"""The Adaptive PID-Tversky loss: formulas by hand, the controller's habits, and what it does with the unusual."""

import io
import math
from itertools import pairwise

import pytest
import torch

from runtime.errors import ConfigError
from segmentation.pid_tversky import ErrorKind, PidGains, PIDTverskyLoss


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
    assert float(PIDTverskyLoss(1, smooth_nr=0.0, smooth_dr=0.0, focal=0.75)(logits, target)) == pytest.approx(
        plain**0.75
    )


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


def test_sum_does_not_wind_up_at_the_lower_limit_either() -> None:
    gains = PidGains(proportional=0.1, integral=0.3, beta_low=0.4)
    loss = PIDTverskyLoss(1, gains=gains, set_point=0.5)
    for _ in range(20):
        loss(*_confident(1.0))
        loss.end_epoch()
    assert float(loss.beta) == pytest.approx(0.4)
    loss(*_confident(0.1))
    loss.end_epoch()
    assert float(loss.beta) > 0.4


def test_unreachable_recall_holds_beta_at_the_limit_until_reset() -> None:
    gains = PidGains(proportional=0.5, integral=0.1, beta_high=0.7)
    loss = PIDTverskyLoss(1, gains=gains, set_point=0.99)
    for _ in range(10):
        loss(*_confident(0.8))
        loss.end_epoch()
    assert float(loss.beta) == pytest.approx(0.7)
    loss.error = ErrorKind.PRECISION_RECALL_GAP
    loss.reset()
    assert loss.beta.tolist() == [0.5]
    assert float(loss.integral) == 0.0
    assert math.isnan(float(loss.last_error))


def test_filter_keeps_its_share_of_the_old_derivative() -> None:
    gains = PidGains(derivative=1.0, derivative_filter=0.8)
    loss = PIDTverskyLoss(1, gains=gains, set_point=0.9)
    derivatives = []
    for recall in (0.8, 0.6, 0.6, 0.6):  # the error jumps once, by 0.2
        loss(*_confident(recall))
        loss.end_epoch()
        derivatives.append(float(loss.derivative))
    assert derivatives == pytest.approx([0.0, 0.04, 0.032, 0.0256], abs=1e-5)
    assert float(loss.beta) == pytest.approx(0.5 + 0.0256, abs=1e-5)


def test_class_absent_for_an_epoch_keeps_all_while_the_other_moves() -> None:
    gains = PidGains(proportional=0.2, integral=0.1, derivative=0.3)
    loss, never_absent = PIDTverskyLoss(2, gains=gains), PIDTverskyLoss(2, gains=gains)
    logits, target = _confident(0.6, classes=2)
    absent = target.clone()
    absent[:, 1] = 0
    for one in (loss, never_absent):
        one(logits, target)
        one.end_epoch()
    before = {name: value[1].clone() for name, value in loss.named_buffers()}
    loss(logits, absent)
    course = loss.end_epoch()
    never_absent(logits, target)
    never_absent.end_epoch()
    assert math.isnan(course["recall"][1])
    assert course["precision"][1] == 0.0
    for name, value in loss.named_buffers():
        assert torch.equal(value[1], before[name]), name
        assert torch.equal(value[0], dict(never_absent.named_buffers())[name][0]), name
    loss(logits, target)
    loss.end_epoch()
    assert torch.equal(loss.integral[1], never_absent.integral[1])  # as if the epoch had not been


def test_epoch_without_a_step_keeps_everything() -> None:
    loss = PIDTverskyLoss(2, gains=PidGains(proportional=1.0, integral=1.0))
    course = loss.end_epoch()
    assert all(math.isnan(value) for value in course["recall"] + course["precision"])
    assert loss.beta.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_step_that_is_not_finite_shows_in_the_loss_but_not_in_the_controller(bad: float) -> None:
    loss = PIDTverskyLoss(2, gains=PidGains(proportional=0.5), set_point=0.9)
    logits, target = _confident(0.7, classes=2)
    broken = logits.clone()
    broken[:, 0] = float("nan")
    weight = torch.ones_like(target)
    weight[:, 0] = bad
    assert math.isnan(float(loss(broken, target)))
    assert not math.isfinite(float(loss(logits, target, weight)))
    loss(logits, target)
    assert loss.end_epoch()["recall"] == pytest.approx([0.7, 0.7], abs=1e-6)
    assert loss.beta.tolist() == pytest.approx([0.6, 0.6], abs=1e-5)


@pytest.mark.parametrize("over_batch", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 1e-5])
def test_focal_gradient_is_finite_for_classes_unknown_absent_and_perfect(over_batch: bool, smooth: float) -> None:
    logits, target = _confident(1.0, classes=3)  # class 0: perfect
    target[:, 1] = 0
    logits[:, 1] = -30.0 if smooth else 0.0  # class 1: absent, and not seen (0 / 0 without smoothing)
    weight = torch.ones_like(target)
    weight[:, 2] = 0  # class 2: unknown
    logits.requires_grad_()
    loss = PIDTverskyLoss(3, focal=0.75, smooth_nr=smooth, smooth_dr=smooth, over_batch=over_batch)
    value = loss(logits, target, weight)
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert float(logits.grad[:, 2].abs().max()) == 0.0


def test_validation_passes_are_not_counted() -> None:
    loss = PIDTverskyLoss(1)
    loss(*_confident(0.4))
    with torch.no_grad():  # the loss itself still in training mode
        loss(*_confident(1.0))
    assert loss.end_epoch()["recall"] == pytest.approx([0.4])


def test_half_precision_logits_are_counted_in_single() -> None:
    pixels = 70_000  # more than float16 can hold
    logits, target = _confident(0.5, pixels=pixels)
    logits = logits.half().requires_grad_()
    loss = PIDTverskyLoss(1)
    value = loss(logits, target)
    value.backward()
    assert value.dtype == torch.float32
    assert loss.counts[:, 0].tolist() == pytest.approx([pixels / 2, 0, pixels / 2], rel=1e-6)
    assert float(value.detach()) == pytest.approx(1 - 1 / (1 + 0.5), abs=1e-5)


def test_moving_beta_before_backward_leaves_the_gradient_alone() -> None:
    gradients = []
    for moves in (False, True):
        logits, target = _example(3)
        loss = PIDTverskyLoss(3, gains=PidGains(proportional=1.0))
        value = loss(logits, target)
        if moves:
            loss.end_epoch()
            assert not torch.equal(loss.beta, loss.beta_start)
        gradients.append(torch.autograd.grad(value, logits)[0])
    assert torch.equal(*gradients)


def _learn(first: int, last: int, state: bytes | None = None) -> tuple[bytes, list[dict[str, list[float]]]]:
    """Train a tiny network from step to step, epochs of 4; the state goes through a file's bytes."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 2, 3, padding=1)
    loss = PIDTverskyLoss(2, gains=PidGains(0.5, 0.1, 0.2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    parts = {"network": network, "loss": loss, "optimizer": optimizer}
    if state is not None:
        stored = torch.load(io.BytesIO(state), weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(stored[name])
    courses = []
    for step in range(first, last):
        images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss(network(images), torch.cat([images > 0.4, images > 0.8], dim=1).float()).backward()
        optimizer.step()
        if step % 4 == 3:
            courses.append(loss.end_epoch())
    file = io.BytesIO()
    torch.save({name: part.state_dict() for name, part in parts.items()}, file)
    return file.getvalue(), courses


@pytest.mark.parametrize("broken_at", [4, 6])
def test_run_resumed_at_or_within_an_epoch_equals_the_unbroken_one(broken_at: int) -> None:
    unbroken, courses = _learn(0, 16)
    half, early = _learn(0, broken_at)
    resumed, late = _learn(broken_at, 16, half)
    assert early + late == courses
    assert len({tuple(course["beta"]) for course in courses}) == 4  # it moved each epoch
    ends = [torch.load(io.BytesIO(state), weights_only=True) for state in (unbroken, resumed)]
    for part in ("network", "loss"):
        for name, value in ends[0][part].items():
            assert torch.equal(value, ends[1][part][name]), name


def test_state_of_another_kind_is_refused() -> None:
    state = PIDTverskyLoss(3).state_dict()
    with pytest.raises(RuntimeError, match=r"counts: expected shape \(3, 2\), got \(3, 3\)"):
        PIDTverskyLoss(2).load_state_dict(state)
    del state["counts"]
    with pytest.raises(RuntimeError, match=r"Missing key.*counts"):
        PIDTverskyLoss(3).load_state_dict(state)


def test_shapes_that_do_not_fit_are_refused() -> None:
    logits, target = _example()
    with pytest.raises(ValueError, match=r"one shape with 3 classes, got \(2, 3, 9, 7\) and \(2, 1, 9, 7\)"):
        PIDTverskyLoss(3)(logits, target[:, :1])
    with pytest.raises(ValueError, match="one shape with 2 classes"):
        PIDTverskyLoss(2)(logits, target)
    with pytest.raises(
        ValueError, match=r"weight: expected \(2, 3, 9, 7\), or 1 for some sizes, got \(2, 2, 9, 7\)"
    ):
        PIDTverskyLoss(3)(logits, target, torch.ones(2, 2, 9, 7))
    with pytest.raises(ValueError, match=r"weight: expected .* got \(9, 7\)"):
        PIDTverskyLoss(3)(logits, target, torch.ones(9, 7))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": 1.2}, "beta: expected 0 to 1, got 1.2"),
        ({"set_point": 0.0}, "set_point: expected above 0"),
        ({"focal": 0.0}, "focal: expected an exponent above 0"),
    ],
)
def test_values_out_of_range_are_named(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PIDTverskyLoss(1, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"integral": -0.1}, "integral: expected a gain of 0 or more, got -0.1"),
        ({"proportional": math.nan}, "proportional: expected a gain"),
        ({"derivative_filter": 1.0}, "derivative_filter: expected 0 to below 1"),
        ({"beta_low": 0.8, "beta_high": 0.3}, "beta_low, beta_high: expected 0 <= low <= high <= 1, got 0.8, 0.3"),
    ],
)
def test_gains_out_of_range_are_named(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PidGains(**options)


def _steered_recall(set_point: float, gains: PidGains) -> float:
    """Train a threshold on overlapping grey values for 30 epochs; return the mean soft recall of the last five."""
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Conv2d(1, 1, 1)
    torch.nn.init.ones_(network.weight)
    torch.nn.init.zeros_(network.bias)
    loss = PIDTverskyLoss(1, gains=gains, set_point=set_point)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    recalls = []
    for _ in range(30):
        for _ in range(8):
            target = (torch.rand(1, 1, 64, 64, generator=generator) < 0.2).float()
            images = torch.randn(1, 1, 64, 64, generator=generator) + 1.5 * target
            optimizer.zero_grad()
            loss(network(images), target).backward()
            optimizer.step()
        recalls += loss.end_epoch()["recall"]
    return sum(recalls[-5:]) / 5


@pytest.mark.parametrize("set_point", [0.6, 0.75, 0.9])
def test_closed_loop_brings_recall_to_the_set_point(set_point: float) -> None:
    gains = PidGains(0.5, 0.2, 0.2, beta_low=0.05, beta_high=0.98)
    assert _steered_recall(set_point, gains) == pytest.approx(set_point, abs=0.03)


def test_without_control_recall_is_elsewhere() -> None:
    assert abs(_steered_recall(0.9, PidGains()) - 0.9) > 0.15
