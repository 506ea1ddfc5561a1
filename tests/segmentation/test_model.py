"""The network: shapes, prompts, attention, the text tower, its configuration."""

import pytest
import torch

from runtime.errors import ConfigError
from segmentation.attention import SpatialPatchCrossAttention, position_code
from segmentation.build import LearnedPrompts, TextPrompts, build_network, build_prompts
from segmentation.config import NetworkConfig, network_config
from segmentation.text_tower import tokenize, vocabulary

SMALL = NetworkConfig(
    widths=(8, 8, 8, 16, 16), token_dim=32, heads=8, text_width=32, text_layers=1, long_side_px=128
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 1, 96, 64, generator=torch.Generator().manual_seed(0))


def test_shapes(images: torch.Tensor) -> None:
    output = build_network(SMALL)(images, torch.randn(8, 32))
    assert output.mask_logits.shape == (2, 3, 96, 64)
    assert output.level_logits.shape == (2, 5, 24, 16)
    assert output.prompt_tokens.shape == (2, 8, 32)
    assert output.attention.shape == (2, 8, 6, 4)


def test_attention_maps_sum_to_one(images: torch.Tensor) -> None:
    attention = build_network(SMALL)(images, torch.randn(8, 32)).attention
    assert torch.allclose(attention.sum((2, 3)), torch.ones(2, 8), atol=1e-5)
    assert bool((attention >= 0).all())


def test_order_of_prompts_does_not_matter(images: torch.Tensor) -> None:
    network, prompts = build_network(SMALL).eval(), torch.randn(8, 32)
    order = torch.tensor([2, 0, 1, 3, 5, 4, 7, 6])
    with torch.no_grad():
        plain, shuffled = network(images, prompts), network(images, prompts[order])
    assert torch.allclose(plain.mask_logits[:, order[:3]], shuffled.mask_logits, atol=1e-5)
    assert torch.allclose(plain.level_logits[:, order[3:] - 3], shuffled.level_logits, atol=1e-5)
    assert torch.allclose(plain.prompt_tokens[:, order], shuffled.prompt_tokens, atol=1e-5)


def test_one_prompt_alone_gives_the_same_mask(images: torch.Tensor) -> None:
    network, prompts = build_network(SMALL).eval(), torch.randn(8, 32)
    with torch.no_grad():
        together = network(images, prompts).mask_logits[:, 1:2]
        alone = network(images, prompts[1:2], structures=1).mask_logits
    assert torch.allclose(together, alone, atol=1e-5)


def test_batch_equals_one_by_one(images: torch.Tensor) -> None:
    network, prompts = build_network(SMALL).eval(), torch.randn(8, 32)
    with torch.no_grad():
        together = network(images, prompts).mask_logits
        single = torch.cat([network(image[None], prompts).mask_logits for image in images])
    assert torch.allclose(together, single, atol=1e-4)


def test_prompt_tokens_see_the_image_with_cross_attention_only(images: torch.Tensor) -> None:
    prompts = torch.randn(8, 32)
    baseline_config = NetworkConfig(**{**SMALL.__dict__, "use_cross_attention": False})
    with torch.no_grad():
        looking = build_network(SMALL)(images, prompts).prompt_tokens
        blind = build_network(baseline_config)(images, prompts)
    assert not torch.allclose(looking[0], looking[1])
    assert torch.equal(blind.prompt_tokens[0], blind.prompt_tokens[1])
    assert float(blind.attention.abs().sum()) == 0.0
    assert isinstance(build_prompts(baseline_config), LearnedPrompts)


def test_every_patch_reaches_the_attention() -> None:
    attention = SpatialPatchCrossAttention(32, 8).eval()
    tokens = torch.randn(1, 6, 32, requires_grad=True)
    attended, _ = attention(torch.randn(1, 2, 32), tokens, position_code(2, 3, 32))
    attended.sum().backward()
    assert tokens.grad is not None
    assert bool((tokens.grad.abs().sum(2) > 0).all())


def test_position_code_tells_every_patch_apart() -> None:
    code = position_code(32, 32, 128)
    distance = torch.cdist(code, code) + torch.eye(len(code)) * 100
    assert code.shape == (1024, 128)
    assert float(distance.min()) > 0.1


def test_text_tower_trains_and_tells_phrases_apart() -> None:
    prompts = build_prompts(SMALL)
    assert isinstance(prompts, TextPrompts)
    embeddings = prompts()
    assert embeddings.shape == (8, 32)
    embeddings.square().sum().backward()
    gradients = [value.grad for value in prompts.parameters() if value.grad is not None]
    assert any(float(gradient.abs().sum()) > 0 for gradient in gradients)
    assert float(torch.pdist(embeddings.detach()).min()) > 1e-3


def test_vocabulary_holds_every_word_of_the_default_phrases() -> None:
    unknown = vocabulary()["<unknown>"]
    assert unknown not in tokenize(NetworkConfig().phrases, 16)


def test_vocabulary_has_no_word_twice_and_ends_with_the_end() -> None:
    words = vocabulary()
    assert sorted(words.values()) == list(range(len(words)))
    assert max(words, key=lambda word: words[word]) == "<end>"


def test_tokens_by_hand() -> None:
    words = vocabulary()
    row = tokenize(["Posterior margin of xyzzy"], 8)[0].tolist()
    expected = [words[word] for word in ("<start>", "posterior", "margin", "of", "<unknown>", "<end>")]
    assert row == [*expected, words["<pad>"], words["<pad>"]]


def test_phrase_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 2 words"):
        tokenize(["spinal canal here"], 4)


def test_phrases_of_the_default_network() -> None:
    phrases = NetworkConfig().phrases
    assert phrases[:3] == ("intervertebral disc", "vertebra", "spinal canal")
    assert phrases[6] == "posterior margin of the L4-L5 disc"


def test_config_round_trip() -> None:
    assert network_config(SMALL.to_dict()) == SMALL


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"width": [1, 2, 3, 4]}, "unknown keys"),
        ({"heads": "eight"}, "heads: expected int"),
        ({"widths": [8, 16]}, "expected 5 numbers"),
        ({"structures": ["elbow"]}, "anatomy.Structure"),
        ({"view_sides_px": [448]}, "as many of each"),
        ({"token_dim": 100}, "multiple of heads"),
    ],
)
def test_bad_config_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        network_config(values)


def test_gated_questions_are_the_prompts_own_when_the_look_is_dropped(images: torch.Tensor) -> None:
    config = NetworkConfig(**{**SMALL.__dict__, "look_dropout": 0.999999})
    network, prompts = build_network(config).train(), torch.randn(8, 32)
    shifted = network(images, prompts).mask_logits
    with torch.no_grad():
        network.look_gate.zero_()
    assert torch.allclose(network(images, prompts).mask_logits, shifted)
    with torch.no_grad():
        network.look_gate.fill_(1.0)
    seeing = network.eval()(images, prompts).mask_logits
    assert not torch.allclose(seeing, shifted)  # outside training every look counts


def test_masks_equal_the_dot_products_of_pixel_embeddings(images: torch.Tensor) -> None:
    network = build_network(SMALL).eval()
    fine, queries = torch.randn(2, 8, 48, 32), torch.randn(2, 3, SMALL.mask_dim + 1)
    pixels = network.pixel_embedding(fine)
    expected = torch.einsum("bse,behw->bshw", queries[..., :-1], pixels) + queries[..., -1][..., None, None]
    assert torch.allclose(network._masks(queries, fine), expected, atol=1e-4)


@pytest.mark.parametrize("context", [0, 1])
def test_maps_have_the_size_of_the_image(context: int) -> None:
    config = NetworkConfig(**{**SMALL.__dict__, "context_slices": context})
    output = build_network(config)(torch.randn(1, config.slices, 64, 48), torch.randn(8, 32))
    assert output.mask_logits.shape == (1, 3, 64, 48)
    assert output.level_logits.shape == (1, 5, 16, 12)
    assert output.attention.shape == (1, 8, 4, 3)
