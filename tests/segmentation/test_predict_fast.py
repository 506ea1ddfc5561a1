"""What makes prediction fast changes nothing: attention without its map, each slice prepared once."""

import math

import numpy as np
import pytest
import torch

import segmentation.predict as room
from imaging.types import Spacing
from runtime.errors import ConfigError
from runtime.settings import load_settings
from segmentation.attention import Attention
from segmentation.build import build_network
from segmentation.config import NetworkConfig
from segmentation.predict import SliceSegmenter, _distinct
from segmentation.preprocess import pad_to_multiple, resize, scale_grey, to_network_range

SPACING = Spacing(0.7, 0.6, 4.0)


def tiny(context: int = 1) -> SliceSegmenter:
    """Return a small random network with neighbours."""
    torch.manual_seed(3)
    config = NetworkConfig(
        widths=(8, 8, 8, 16, 16), token_dim=16, heads=2, mask_dim=4, level_dim=4, context_slices=context,
        view_sides_px=(64, 48), view_gammas=(1.0, 0.6), view_flips=(False, False), long_side_px=64,
    )  # fmt: skip
    prompts = torch.randn(len(config.structures) + len(config.levels), config.token_dim)
    return SliceSegmenter(build_network(config), prompts, config)


def series(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return slices and their neighbours, ends repeated, as ``scan`` gives them."""
    images = np.random.default_rng(0).gamma(2.0, 50.0, (count, 60, 50)).astype(np.float32)
    beside = [(max(0, k - 1), min(count - 1, k + 1)) for k in range(count)]
    return images, np.stack([images[list(pair)] for pair in beside])


def test_attention_without_its_map_is_the_same_attention() -> None:
    torch.manual_seed(0)
    attention = Attention(32, 4)
    query, tokens = torch.randn(2, 7, 32), torch.randn(2, 50, 32)
    with_map, weights = attention(query, tokens, tokens)
    torch.testing.assert_close(attention.mix(query, tokens, tokens), with_map, atol=1e-6, rtol=1e-5)
    # And both are softmax(q k / sqrt d) v, by hand for one head of one query.
    q = attention.to_query(query)[0, 3, 8:16]
    k, v = attention.to_key(tokens)[0, :, 8:16], attention.to_value(tokens)[0, :, 8:16]
    by_hand = torch.softmax(k @ q / math.sqrt(8), dim=0) @ v
    heads = torch.nn.functional.linear(with_map[0, 3] - attention.out.bias, torch.linalg.inv(attention.out.weight))
    torch.testing.assert_close(heads[8:16], by_hand, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 7))


def test_each_slice_is_prepared_once() -> None:
    images, neighbours = series()
    stacks = np.stack([neighbours[:, 0], images, neighbours[:, 1]], axis=1)
    slices, places = _distinct(stacks)
    assert len(slices) == len(images)
    np.testing.assert_array_equal(np.stack(slices)[places.numpy()], stacks)


def test_prepared_once_or_three_times_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, neighbours = series()
    network = tiny()
    calls: list[int] = []
    monkeypatch.setattr(room, "scale_grey", lambda *words: (calls.append(1), scale_grey(*words))[1])
    fast = network.segment_slices(images, SPACING, neighbours)
    assert len(calls) == 5 + 3, "groups of 4 and 2 slices with one neighbour beyond each inner end"

    def plainly(images: np.ndarray, grid: tuple[int, int], gamma: float) -> torch.Tensor:
        low, high = network.config.low_percentile, network.config.high_percentile
        grey = torch.from_numpy(np.stack([[scale_grey(one, low, high) for one in stack] for stack in images]))
        return to_network_range(pad_to_multiple(resize(grey**gamma, grid).clamp(0, 1), 16))

    stacks = np.stack([neighbours[:, 0], images, neighbours[:, 1]], axis=1)
    logits = []
    with torch.inference_mode():
        for side, gamma in zip((64, 48), (1.0, 0.6), strict=True):
            grid = network._grid((60, 50), SPACING, side)
            output = network.network(plainly(stacks, grid, gamma), network.embeddings)
            logits.append(resize(output.mask_logits[..., : grid[0], : grid[1]], (60, 50)))
    slow = torch.stack(logits).mean(0).sigmoid().numpy()
    np.testing.assert_allclose(fast.probabilities, slow, atol=1e-4)


def test_one_by_one_is_as_all_at_once() -> None:
    images, neighbours = series()
    network = tiny()
    together = network.segment_slices(images, SPACING, neighbours)
    apart = [network.segment_slices(images[k : k + 1], SPACING, neighbours[k : k + 1]) for k in range(len(images))]
    np.testing.assert_allclose(
        together.probabilities, np.concatenate([one.probabilities for one in apart]), atol=1e-4
    )
    np.testing.assert_allclose(together.level_maps, np.concatenate([one.level_maps for one in apart]), atol=1e-4)


def test_attention_maps_are_made_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    images, neighbours = series(2)
    network = tiny()
    asked: list[int] = []
    to_size = room._to_size
    monkeypatch.setattr(room, "_to_size", lambda *words: (asked.append(words[2]), to_size(*words))[1])
    network.segment_slices(images, SPACING, neighbours)
    assert asked == [1, 1], "masks of two views"
    maps = network.attention_maps(images, SPACING, neighbours)
    assert asked[2:] == [1, 1, 16]
    assert maps.shape == (2, len(network.prompt_names), 60, 50)
    np.testing.assert_allclose(maps.max((2, 3)), 1.0)


def test_half_precision_computes_in_halves_and_answers_in_float32() -> None:
    full = tiny()
    half = SliceSegmenter(full.network, full.embeddings, full.config, precision="bfloat16")
    computed: list[torch.dtype] = []
    convolution = next(module for module in full.network.modules() if isinstance(module, torch.nn.Conv2d))
    handle = convolution.register_forward_hook(lambda module, inputs, output: computed.append(output.dtype))
    images, _ = series(2)
    expected, found = full.segment_slices(images, SPACING), half.segment_slices(images, SPACING)
    handle.remove()
    assert set(computed[: len(computed) // 2]) == {torch.float32}
    assert set(computed[len(computed) // 2 :]) == {torch.bfloat16}
    assert found.probabilities.dtype == np.float32
    assert not np.array_equal(found.probabilities, expected.probabilities)
    assert np.abs(found.probabilities - expected.probabilities).max() < 0.05


def test_the_layout_of_memory_changes_nothing_to_speak_of() -> None:
    plain, last = tiny(), tiny()
    last.network.to(memory_format=torch.channels_last)
    images, _ = series(2)
    one, other = (model.segment_slices(images, SPACING) for model in (plain, last))
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-4)
    np.testing.assert_allclose(one.prompt_tokens, other.prompt_tokens, atol=2e-3)


def test_precision_comes_from_the_environment_and_an_unknown_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().precision == "float32"
    monkeypatch.setenv("SPINESCRIBE_PRECISION", "bfloat16")
    assert load_settings().precision == "bfloat16"
    monkeypatch.setenv("SPINESCRIBE_PRECISION", "int4")
    with pytest.raises(ConfigError, match="SPINESCRIBE_PRECISION: expected float32 or bfloat16, got 'int4'"):
        load_settings()
