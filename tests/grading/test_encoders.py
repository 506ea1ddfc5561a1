"""The patch encoders: same door, any size of crop, gradients everywhere."""

import pytest
import torch

from grading.config import ENCODER_NAMES, NetworkConfig
from grading.encoders import ENCODERS, GatedAttentionPooling
from runtime.errors import ConfigError


def test_the_names_are_those_that_can_be_built() -> None:
    assert tuple(ENCODERS) == ENCODER_NAMES


@pytest.mark.parametrize("name", ENCODER_NAMES)
def test_an_encoder_maps_crops_of_any_size_to_features_and_learns_everywhere(name: str) -> None:
    torch.manual_seed(0)
    encoder = ENCODERS[name]((8, 16, 32, 64), 24, 0.0, 2)
    for size in ((64, 96), (80, 112)):
        features = encoder(torch.randn(3, 2, *size))
        assert features.shape == (3, 24)
    features.square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_attention_pooling_is_a_weighted_mean_that_knows_places() -> None:
    torch.manual_seed(0)
    pooling = GatedAttentionPooling(16, 8, dropout=0.0).eval()
    even = torch.ones(1, 16, 4, 6)
    bright = even.clone()
    bright[..., 0, 0] = 5.0
    moved = even.clone()
    moved[..., 3, 5] = 5.0
    assert not torch.allclose(pooling(bright), pooling(moved)), "the same content elsewhere is something else"


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"network.encoder: expected one of small_cnn"):
        NetworkConfig(encoder="vgg")
