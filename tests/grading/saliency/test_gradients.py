"""Heat of small networks whose dependence on the picture is known."""

import pytest
import torch
from torch import Tensor, nn

from grading.model import GradingInputs
from grading.saliency.gradients import encoder_heat
from grading.saliency.types import SaliencyMethod

HIRES, GRAD = SaliencyMethod.HIRES_CAM, SaliencyMethod.GRAD_CAM


class _Encoder(nn.Module):
    """Means over 8 by 8 tiles, then one weight a tile."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.trunk, self.weights = nn.AvgPool2d(8), nn.Parameter(weights)

    def forward(self, crops: Tensor) -> Tensor:
        return (self.trunk(crops)[:, 0] * self.weights).sum((1, 2))


class _Network(nn.Module):
    """The present crops of a study, encoded and added up."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.encoder = _Encoder(weights)

    def forward(self, inputs: GradingInputs) -> dict[str, Tensor]:
        return {"sum": self.encoder(inputs.crops[inputs.present].unsqueeze(1)).sum().reshape(1)}


def study(seed: int = 0) -> GradingInputs:
    torch.manual_seed(seed)
    present = torch.tensor([[[True, True], [True, False]]])
    no_views = torch.zeros(1, 2, 2, 0, dtype=torch.bool)
    return GradingInputs(torch.rand(1, 2, 2, 32, 48), present, torch.zeros(1, 2, 0), (), no_views)


def score(outputs: dict[str, Tensor]) -> Tensor:
    return outputs["sum"][0]


def corner(value: float = 1.0) -> Tensor:
    weights = torch.zeros(4, 6)
    weights[0, 0] = value
    return weights


def test_a_network_that_looks_at_one_corner_has_heat_there_only() -> None:
    crops, heat = encoder_heat(_Network(corner()).eval(), study(), score, HIRES)
    assert crops.shape == (3, 32, 48)
    assert heat.shape == (3, 4, 6)
    assert torch.allclose(heat[:, 0, 0], crops[:, :8, :8].mean((1, 2)))
    heat[:, 0, 0] = 0
    assert heat.abs().max() == 0


def test_grad_cam_spreads_what_the_head_reads_apart() -> None:
    """Why it is not the default: the mean gradient of a corner's weight lights up every bright tile."""
    _, heat = encoder_heat(_Network(corner()).eval(), study(), score, GRAD)
    assert (heat > 0).all()


def test_both_methods_agree_where_the_head_takes_the_mean() -> None:
    network = _Network(torch.full((4, 6), 1 / 24)).eval()
    _, first = encoder_heat(network, study(), score, HIRES)
    _, second = encoder_heat(network, study(), score, GRAD)
    assert torch.allclose(first, second)


def test_heat_adds_up_to_a_linear_score_and_keeps_its_sign() -> None:
    torch.manual_seed(1)
    network = _Network(torch.randn(4, 6)).eval()
    _, heat = encoder_heat(network, study(), score, HIRES)
    assert float(heat.sum()) == pytest.approx(float(score(network(study())).detach()), rel=1e-5)
    _, against = encoder_heat(_Network(corner(-2.0)).eval(), study(), score, HIRES)
    assert (against[:, 0, 0] < 0).all()


def test_the_network_stays_as_it_was() -> None:
    network = _Network(corner()).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    encoder_heat(network, study(), score, HIRES)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.encoder._forward_pre_hooks
    assert not network.encoder.trunk._forward_hooks


def test_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="expected eval mode, got training mode"):
        encoder_heat(_Network(corner()), study(), score, HIRES)
