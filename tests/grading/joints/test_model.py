"""The sacroiliac network: symmetry, missing parts, and stages that follow from lesions."""

import pytest
import torch

from grading.config import ENCODER_NAMES
from grading.joints.build import build_joint_network
from grading.joints.config import JointNetworkConfig
from grading.joints.model import LESIONS, SLICE_ITEMS, JointInputs, JointNetwork, either, stage_log_probabilities

SLICES, ROWS, COLUMNS = 5, 32, 48


def small(encoder: str = "small_cnn") -> JointNetwork:
    torch.manual_seed(0)
    config = JointNetworkConfig(encoder=encoder, widths=(4, 8, 8), token_width=16, heads=2, layers=1)
    return build_joint_network(config).eval()


def made_inputs(batch: int = 2) -> JointInputs:
    torch.manual_seed(1)
    present = torch.ones(batch, 2, SLICES, dtype=torch.bool)
    present[0, 0, 3:] = False
    return JointInputs(
        torch.randn(batch, 2, SLICES, 2, ROWS, COLUMNS),
        present,
        torch.ones_like(present),
        torch.randn(batch, 2, SLICES, 2),
    )


@pytest.mark.parametrize("encoder", ENCODER_NAMES)
def test_every_encoder_answers_for_slices_joints_and_patients(encoder: str) -> None:
    network, inputs = small(encoder), made_inputs()
    with torch.inference_mode():
        outputs = network(inputs)
    assert outputs.items.shape == (2, 2, SLICES, len(SLICE_ITEMS))
    assert outputs.lesions.shape == (2, 2, len(LESIONS))
    assert outputs.stages.shape == (2, 2, 4)
    assert outputs.status.shape == (2,)
    torch.testing.assert_close(outputs.attention.sum(dim=-1), torch.ones(2, 2, len(LESIONS)))
    assert (outputs.attention[0, 0, :, 3:] == 0).all()
    assert network.encoder.trunk(inputs.crops[:, 0, 0]).shape[0] == 2


def test_swapping_the_sides_swaps_the_answers() -> None:
    network, inputs = small(), made_inputs()
    swapped = JointInputs(*(item.flip(1) for item in inputs))
    with torch.inference_mode():
        first, second = network(inputs), network(swapped)
    torch.testing.assert_close(first.stages, second.stages.flip(1))
    torch.testing.assert_close(first.status, second.status)


def test_what_is_not_there_is_not_looked_at() -> None:
    network, inputs = small(), made_inputs()
    other = inputs.crops.clone()
    other[0, 0, 3:] = 1e3
    without_t1 = inputs._replace(has_t1=torch.zeros_like(inputs.has_t1))
    noise = without_t1._replace(crops=torch.cat([inputs.crops[:, :, :, :1], inputs.crops[:, :, :, 1:] * 9], dim=3))
    with torch.inference_mode():
        torch.testing.assert_close(network(inputs).stages, network(inputs._replace(crops=other)).stages)
        torch.testing.assert_close(network(without_t1).stages, network(noise).stages)
        assert not torch.allclose(network(inputs).stages, network(without_t1).stages)


def test_a_missing_side_counts_for_nothing() -> None:
    network, inputs = small(), made_inputs()
    inputs.present[1, 0] = False
    with torch.inference_mode():
        outputs = network(inputs)
    assert torch.isfinite(outputs.stages).all()
    torch.testing.assert_close(outputs.status[1], outputs.lesions[1, 1, 0], atol=1e-4, rtol=1e-4)


def test_stages_follow_from_lesions() -> None:
    absent, present = -12.0, 12.0
    rows = {
        "normal": [absent] * 6,
        "early": [present] + [absent] * 5,
        "moderate": [present, absent, present, absent, absent, absent],
        "advanced": [present, present, absent, absent, absent, present],
    }
    logs = stage_log_probabilities(torch.tensor(list(rows.values())))
    assert logs.argmax(dim=-1).tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(logs.exp().sum(dim=-1), torch.ones(4), atol=1e-4, rtol=0)


def test_more_of_a_lesion_never_makes_a_milder_stage_likelier() -> None:
    torch.manual_seed(2)
    lesions = torch.randn(64, 6)
    exceed = stage_log_probabilities(lesions).exp().flip(-1).cumsum(-1)
    for number in range(6):
        worse = lesions.clone()
        worse[:, number] += 1.0
        assert (stage_log_probabilities(worse).exp().flip(-1).cumsum(-1) >= exceed - 1e-5).all()


def test_either_side_makes_the_patient_positive() -> None:
    logits, there = torch.tensor([[-9.0, 9.0], [-9.0, -9.0], [0.0, 0.0]]), torch.ones(3, 2, dtype=torch.bool)
    assert torch.sigmoid(either(logits, there)).tolist() == pytest.approx([1.0, 0.0, 0.75], abs=1e-3)
