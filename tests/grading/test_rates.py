"""Layer-wise rates: every parameter once, slower towards the picture."""

import pytest

from grading.build import build_network
from grading.config import ENCODER_NAMES, GraderConfig, NetworkConfig
from grading.training.rates import parameter_groups


@pytest.mark.parametrize("encoder", ENCODER_NAMES)
def test_every_parameter_has_one_rate_that_falls_towards_the_picture(encoder: str) -> None:
    network = build_network(
        GraderConfig(network=NetworkConfig(encoder=encoder, widths=(4, 8, 8, 16), views=("recess_t2",)))
    )
    groups = parameter_groups(network, (network.encoder, *network.view_encoders), 0.01, 0.8)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates = {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(names) == sum(len(group["params"]) for group in groups)
    assert rates["level_embedding"] == 0.01
    pooling = next(rate for name, rate in rates.items() if name.startswith("encoder.pooling"))
    first = rates[next(name for name in names.values() if name.startswith("encoder.trunk"))]
    assert first < pooling < 0.01
    of_view = rates[next(name for name in names.values() if name.startswith("view_encoders.0.trunk"))]
    assert of_view == first


def test_without_decay_all_train_alike() -> None:
    network = build_network(GraderConfig())
    groups = parameter_groups(network, (network.encoder,), 0.01, 1.0)
    assert {group["lr"] for group in groups} == {0.01}
