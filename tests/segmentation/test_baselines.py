"""The networks ours is measured against: gates by hand, the shared interface, sizes, and that they can learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from imaging.types import Spacing
from runtime.errors import WeightsError
from segmentation.backbone import Decoder
from segmentation.baselines import AttentionGate, GatedDecoder, UNet
from segmentation.build import Network, build_network, build_prompts
from segmentation.config import ARCHITECTURES, NetworkConfig
from segmentation.predict import SliceSegmenter

WIDTHS = (8, 8, 8, 16, 16)
SMALL = NetworkConfig(widths=WIDTHS, token_dim=32, heads=4, text_width=32, text_layers=1)
BASELINES = [name for name in ARCHITECTURES if name != "prompted"]


def build(architecture: str, **changes: object) -> tuple[NetworkConfig, Network, Tensor]:
    torch.manual_seed(0)
    config = replace(SMALL, architecture=architecture, **changes)
    return config, build_network(config), build_prompts(config)().detach()


def test_gate_is_the_published_formula() -> None:
    torch.manual_seed(1)
    gate = AttentionGate(skip=4, coarse=6)
    skip, coarse = torch.randn(2, 4, 8, 6), torch.randn(2, 6, 4, 3)
    w_x, w_g, psi = (layer.weight.detach().numpy() for layer in (gate.from_skip, gate.from_coarse, gate.to_gate))
    b_g, b_psi = gate.from_coarse.bias.detach().numpy(), gate.to_gate.bias.detach().numpy()
    pairs = skip.numpy().reshape(2, 4, 4, 2, 3, 2)  # B, C, row, row of the pair, column, column of the pair
    theta = np.einsum("bcrpsq,fcpq->bfrs", pairs, w_x)
    phi = np.einsum("bcrs,fc->bfrs", coarse.numpy(), w_g[:, :, 0, 0]) + b_g[None, :, None, None]
    q = np.einsum("bfrs,f->brs", np.maximum(theta + phi, 0), psi[0, :, 0, 0]) + b_psi[0]
    small = torch.from_numpy(1 / (1 + np.exp(-q)))[:, None]
    expected = functional.interpolate(small, size=(8, 6), mode="bilinear", align_corners=False)
    assert torch.allclose(gate.alpha(skip, coarse), expected, atol=1e-6)
    assert torch.allclose(gate(skip, coarse), skip * expected, atol=1e-6)


def set_gates(decoder: GatedDecoder, bias: float) -> None:
    for gate in decoder.gates:
        assert isinstance(gate, AttentionGate)
        torch.nn.init.zeros_(gate.to_gate.weight)
        torch.nn.init.constant_(gate.to_gate.bias, bias)


def features() -> list[Tensor]:
    return [torch.randn(1, width, 32 // 2**step, 32 // 2**step) for step, width in enumerate(WIDTHS)]


def test_open_gates_leave_the_plain_decoder() -> None:
    torch.manual_seed(2)
    plain, gated, seen = Decoder(WIDTHS), GatedDecoder(WIDTHS), features()
    gated.load_state_dict(plain.state_dict(), strict=False)
    set_gates(gated, 40.0)
    for one, other in zip(plain(seen), gated(seen), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_shut_gates_hide_the_coarse_skips_and_never_the_finest() -> None:
    torch.manual_seed(3)
    decoder, seen = GatedDecoder(WIDTHS), features()
    set_gates(decoder, -40.0)
    before = decoder(seen)[0]
    changed = [seen[0], seen[1] + 5, seen[2] - 5, seen[3] + 5, seen[4]]
    assert torch.allclose(decoder(changed)[0], before, atol=1e-6)
    assert not torch.allclose(decoder([seen[0] + 1, *seen[1:]])[0], before, atol=1e-3)


@pytest.mark.parametrize("architecture", BASELINES)
@pytest.mark.parametrize("context_slices", [0, 1])
def test_interface_is_the_prompted_networks(architecture: str, context_slices: int) -> None:
    config, network, prompts = build(architecture, context_slices=context_slices)
    ours = build_network(replace(config, architecture="prompted"))
    images = torch.randn(2, config.slices, 64, 48)
    output, reference = network(images, prompts), ours(images, prompts)
    for name in ("mask_logits", "level_logits", "prompt_tokens", "attention"):
        assert getattr(output, name).shape == getattr(reference, name).shape
    assert float(output.attention.abs().sum() + output.prompt_tokens.abs().sum()) == 0.0
    assert torch.equal(network(images, prompts * 3 + 1).mask_logits, output.mask_logits)  # words have no effect


@pytest.mark.parametrize("architecture", BASELINES)
def test_every_weight_learns(architecture: str) -> None:
    _, network, prompts = build(architecture)
    output = network(torch.randn(1, 1, 64, 48), prompts)
    (output.mask_logits.square().mean() + output.level_logits.square().mean()).backward()
    still = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert still == []


@pytest.mark.parametrize("architecture", BASELINES)
def test_a_bright_square_is_learnt(architecture: str) -> None:
    _, network, prompts = build(architecture)
    target = torch.zeros(1, 3, 64, 64)
    target[:, :, 16:40, 20:52] = 1
    images = target[:, :1] * 1.5 - 0.75 + 0.2 * torch.randn(1, 1, 64, 64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(40):
        loss = functional.binary_cross_entropy_with_logits(network(images, prompts).mask_logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = network(images, prompts).mask_logits > 0
    assert 2 * float((found * target).sum()) / float(found.sum() + target.sum()) > 0.98


def test_sizes_are_told_apart() -> None:
    def size(architecture: str, widths: tuple[int, ...] = NetworkConfig().widths) -> int:
        network = build_network(NetworkConfig(architecture=architecture, widths=widths))
        return sum(value.numel() for value in network.parameters())

    wide = (16, 32, 64, 128, 192)
    assert size("unet", wide) == pytest.approx(1.6e6, rel=0.05)  # issue 4: "a plain 1.6 M U-Net"
    assert size("attention_unet", wide) == pytest.approx(1.6e6, rel=0.05)
    assert size("unet") < size("attention_unet") < size("prompted")


def test_which_network_is_built() -> None:
    gated, plain = build("attention_unet")[1], build("unet")[1]
    assert isinstance(gated, UNet)
    assert isinstance(gated.decoder, GatedDecoder)
    assert isinstance(plain, UNet)
    assert not isinstance(plain.decoder, GatedDecoder)


@pytest.mark.parametrize("architecture", BASELINES)
def test_other_prompts_cannot_be_asked(architecture: str) -> None:
    config, network, prompts = build(architecture)
    images = torch.zeros(1, 1, 32, 32)
    with pytest.raises(ValueError, match="3 masks and 5 level maps and cannot be asked for others"):
        network(images, prompts, structures=2)
    with pytest.raises(ValueError, match="got 3 structures of 6 prompts"):
        network(images, prompts[:6])
    with pytest.raises(WeightsError, match="hold no text tower"):
        SliceSegmenter(network, prompts, config).segment_phrases(np.zeros((1, 32, 32)), None, ["disc"])


@pytest.mark.parametrize("architecture", BASELINES)
def test_slices_are_segmented_through_the_usual_door(architecture: str) -> None:
    config, network, prompts = build(
        architecture, context_slices=1, view_sides_px=(96,), view_gammas=(1.0,), view_flips=(False,)
    )
    images = np.random.default_rng(0).random((3, 50, 40)).astype(np.float32)
    segmenter = SliceSegmenter(network, prompts, config)
    maps = segmenter.segment_slices(images, Spacing(1.0, 1.0), np.stack([images, images], axis=1))
    assert maps.probabilities.shape == (3, 3, 50, 40)
    assert maps.level_maps.shape[:2] == (3, 5)
    alone = segmenter.segment_slices(images, Spacing(1.0, 1.0))  # a missing neighbour is the slice itself
    assert np.allclose(alone.probabilities, maps.probabilities, atol=1e-6)
