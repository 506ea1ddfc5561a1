"""The objective: overlap losses by name, place and presence of levels, cross-entropy over known pixels."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from runtime.errors import ConfigError
from segmentation.training.config import PidConfig
from segmentation.training.losses import Objective, RegionLoss, level_loss, masked_cross_entropy

WEIGHTS = {"tversky": 1.0, "cross_entropy": 2.0, "level": 0.5}


def outcome(seed: int = 0, classes: int = 3, levels: int = 2) -> tuple[SimpleNamespace, SimpleNamespace]:
    """What ``measure`` reads of a network's output and of a batch."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    output = SimpleNamespace(
        mask_logits=6 * draw(2, classes, 16, 16) - 3, level_logits=6 * draw(2, levels, 4, 4) - 3
    )
    batch = SimpleNamespace(
        masks=(draw(2, classes, 16, 16) > 0.6).float(),
        mask_weight=(draw(2, classes, 16, 16) > 0.2).float(),
        levels=draw(2, levels, 4, 4),
        level_weight=torch.ones(2),
    )
    return output, batch


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    output, batch = outcome()
    total, terms = Objective(3, PidConfig(), WEIGHTS).measure(output, batch)
    assert float(total) == pytest.approx(sum(WEIGHTS[name] * value for name, value in terms.items()))
    assert terms["level"] == pytest.approx(
        float(level_loss(output.level_logits, batch.levels, batch.level_weight))
    )


@pytest.mark.parametrize("name", ["dice", "tversky", "focal_tversky"])
def test_fixed_losses_stay_as_they_are(name: str) -> None:
    output, batch = outcome()
    objective = Objective(3, PidConfig(proportional=1.0), WEIGHTS, region_loss=name)
    objective.begin_cycle(0, is_new=True)
    _, before = objective.measure(output, batch)
    course = objective.tversky.end_epoch()
    _, after = objective.measure(output, batch)
    assert after == before
    assert course["beta"] == pytest.approx([0.5 if name == "dice" else 0.7] * 3)
    assert all(0 < value < 1 for value in course["recall"] + course["precision"])


@pytest.mark.parametrize("error", ["recall_set_point", "precision_recall_gap"])
def test_adaptive_loss_moves_by_the_error_of_its_cycle(error: str) -> None:
    output, batch = outcome()
    pid = PidConfig(proportional=0.5, integral=0.0, derivative=0.0, beta_low=0.0, beta_high=1.0, errors=(error,))
    objective = Objective(3, pid, WEIGHTS)
    objective.begin_cycle(0, is_new=True)
    objective.measure(output, batch)
    course = objective.tversky.end_epoch()
    target = [pid.set_point] * 3 if error == "recall_set_point" else course["precision"]
    expected = [0.5 + 0.5 * (wanted - recall) for wanted, recall in zip(target, course["recall"], strict=True)]
    assert course["beta"] == pytest.approx(expected, abs=1e-5)


def test_new_cycle_begins_at_rest_with_its_own_error() -> None:
    output, batch = outcome()
    objective = Objective(3, PidConfig(), WEIGHTS)
    objective.begin_cycle(0, is_new=True)
    objective.measure(output, batch)
    objective.tversky.end_epoch()
    assert objective.tversky.error == "recall_set_point"
    objective.begin_cycle(1, is_new=True)
    assert objective.tversky.error == "precision_recall_gap"
    assert objective.tversky.beta.tolist() == [0.5] * 3
    objective.begin_cycle(5, is_new=False)
    assert objective.tversky.error == "precision_recall_gap"  # the last name holds for further cycles


def test_objective_goes_through_a_state(tmp_path) -> None:  # type: ignore[no-untyped-def]
    output, batch = outcome()
    first, second = (Objective(3, PidConfig(), WEIGHTS) for _ in range(2))
    first.measure(output, batch)
    first.tversky.end_epoch()
    first.measure(output, batch)
    torch.save(first.state_dict(), tmp_path / "objective.pt")
    second.load_state_dict(torch.load(tmp_path / "objective.pt", weights_only=True))
    assert first.tversky.end_epoch() == second.tversky.end_epoch()


def test_names_of_overlap_losses() -> None:
    assert [str(name) for name in RegionLoss] == ["dice", "tversky", "focal_tversky", "pid_tversky"]
    words = "region_loss: expected one of dice, tversky, focal_tversky, pid_tversky, got 'jaccard'"
    with pytest.raises(ConfigError, match=words):
        Objective(3, PidConfig(), WEIGHTS, region_loss="jaccard")


def test_controller_out_of_range_is_named_from_the_config() -> None:
    with pytest.raises(ConfigError, match="beta_low, beta_high"):
        Objective(3, replace(PidConfig(), beta_low=0.9, beta_high=0.1), WEIGHTS)


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


def test_weight_per_level_repeats_the_weight_per_image() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(3, 4, 8, 8, generator=generator), torch.rand(3, 4, 8, 8, generator=generator)
    per_image = torch.tensor([1.0, 0.0, 1.0])
    per_level = per_image[:, None].expand(3, 4)
    assert float(level_loss(logits, target, per_level)) == pytest.approx(
        float(level_loss(logits, target, per_image)), rel=1e-6
    )


def test_unknown_levels_do_not_count_and_get_no_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(2, 4, 8, 8, generator=generator), torch.rand(2, 4, 8, 8, generator=generator)
    logits.requires_grad_()
    weight = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).expand(2, 4)
    loss = level_loss(logits, target, weight)
    known_only = level_loss(logits[:, :2], target[:, :2], torch.ones(2, 2))
    assert float(loss.detach()) == pytest.approx(float(known_only.detach()), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(gradient[:, 2:].abs().max()) == 0.0
    assert float(gradient[:, :2].abs().max()) > 0.0
