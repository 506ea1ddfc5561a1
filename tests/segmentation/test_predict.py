"""SliceSegmenter: original grid in, original grid out; through the disk; what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from imaging.types import Spacing
from runtime.errors import WeightsError
from runtime.weights import seal_weights
from segmentation import Segmenter
from segmentation.build import build_network, build_prompts
from segmentation.config import NetworkConfig
from segmentation.model import NetworkOutput
from segmentation.predict import SliceSegmenter, save_model
from segmentation.preprocess import canonical_size, scale_grey

CONFIG = NetworkConfig(
    widths=(8, 8, 8, 16, 16), token_dim=32, heads=4, text_width=32, text_layers=1, view_sides_px=(128, 96)
)


def save(folder: Path, config: NetworkConfig = CONFIG) -> None:
    import json

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    network, prompts = build_network(config), build_prompts(config).eval()
    save_model(folder, network.state_dict(), prompts.state_dict(), prompts())
    (folder / "config.json").write_text(json.dumps({"network": config.to_dict()}))
    seal_weights(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    save(root / "tiny")
    return root


@pytest.fixture(scope="module")
def segmenter(root: Path) -> SliceSegmenter:
    return SliceSegmenter.load(weights_root=root, name="tiny", device="cpu")


def test_maps_lie_on_the_original_grid(segmenter: SliceSegmenter) -> None:
    images = np.random.default_rng(0).random((5, 200, 150))
    maps = segmenter.segment_slices(images, Spacing(0.8, 0.8))
    assert maps.structures == ("disc", "vertebra", "spinal_canal")
    assert maps.probabilities.shape == (5, 3, 200, 150)
    assert maps.probabilities.dtype == np.float32
    assert 0 <= maps.probabilities.min() <= maps.probabilities.max() <= 1
    assert maps.level_maps.shape == (5, 5, 32, 24)
    assert maps.level_stride == pytest.approx((4 * 200 / 128, 4 * 150 / 96))
    assert maps.prompt_names == (*maps.structures, *maps.level_names)
    assert maps.prompt_tokens.shape == (5, 8, 32)


def test_weights_are_loaded_in_the_precision_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SliceSegmenter.load(weights_root=root, name="tiny").precision == "float32"
    monkeypatch.setenv("SPINESCRIBE_PRECISION", "bfloat16")
    assert SliceSegmenter.load(weights_root=root, name="tiny").precision == "bfloat16"
    assert Segmenter.load(weights_root=root, name="tiny").precision == "bfloat16"


def test_groups_of_slices_equal_one_by_one(root: Path) -> None:
    segmenter = SliceSegmenter.load(weights_root=root, name="tiny", device="cpu")
    segmenter.network.to(memory_format=torch.contiguous_format)  # channels last rounds by group
    images = np.random.default_rng(1).random((6, 96, 128))
    together = segmenter.segment_slices(images, None)
    single = np.concatenate([segmenter.segment_slices(image[None], None).probabilities for image in images])
    assert np.allclose(together.probabilities, single, atol=1e-4)


def test_grey_scale_does_not_matter(segmenter: SliceSegmenter) -> None:
    images = np.random.default_rng(2).random((1, 128, 96))
    plain = segmenter.segment_slices(images, None)
    scaled = segmenter.segment_slices(images * 4000 - 900, None)
    assert np.allclose(plain.probabilities, scaled.probabilities, atol=1e-4)


def test_flat_slice_gives_finite_maps(segmenter: SliceSegmenter) -> None:
    assert np.isfinite(segmenter.segment_slices(np.full((1, 64, 64), 7.0), None).probabilities).all()


def test_spacing_undoes_stretched_pixels() -> None:
    assert canonical_size(100, 100, None, 128) == (128, 128)
    assert canonical_size(100, 100, (1.0, 0.5), 128) == (128, 64)
    assert canonical_size(640, 512, (0.46875, 0.46875), 512) == (512, 410)
    assert canonical_size(640, 512, (0.46875, 0.46875), 512, multiple=4) == (512, 408)


def test_grey_by_hand() -> None:
    image = np.arange(101, dtype=np.float32).reshape(1, 101)
    scaled = scale_grey(image, 10, 90)
    assert scaled[0, 10] == 0
    assert scaled[0, 50] == pytest.approx(0.5)
    assert scaled[0, 95] == 1


def test_attention_maps_lie_on_the_original_grid(segmenter: SliceSegmenter) -> None:
    maps = segmenter.attention_maps(np.random.default_rng(3).random((2, 100, 80)), None)
    assert maps.shape == (2, 8, 100, 80)
    assert 0.5 < maps.max() <= 1.0


def test_a_trained_phrase_asked_by_words_gives_its_own_mask(segmenter: SliceSegmenter) -> None:
    images = np.random.default_rng(4).random((1, 128, 96))
    asked = segmenter.segment_phrases(images, None, ["spinal canal", "superior endplate"])
    assert asked.shape == (1, 2, 128, 96)
    assert np.allclose(asked[:, 0], segmenter.segment_slices(images, None).probabilities[:, 2], atol=1e-4)
    assert not np.allclose(asked[:, 0], asked[:, 1], atol=1e-4)


def test_views_are_averaged(root: Path, segmenter: SliceSegmenter) -> None:
    images = np.random.default_rng(5).random((1, 128, 96))
    logits = []
    for side, gamma in zip(CONFIG.view_sides_px, CONFIG.view_gammas, strict=True):
        single = SliceSegmenter(
            segmenter.network,
            segmenter.embeddings,
            replace(CONFIG, view_sides_px=(side,), view_gammas=(gamma,), view_flips=(False,)),
        )
        logits.append(logit(single.segment_slices(images, None).probabilities))
    averaged = np.mean(logits, axis=0)
    is_known = (np.abs(logits) < 8).all(axis=0)  # a probability close to one has no exact logit
    found = segmenter.segment_slices(images, None).probabilities
    assert is_known.mean() > 0.5
    assert np.allclose(found[is_known], expit(averaged[is_known]), atol=1e-3)


def test_level_peak_maps_to_the_original_pixel() -> None:
    """A network that marks the brightest place as every level: the peak comes back to where it was."""

    class Brightest(torch.nn.Module):
        def forward(self, images: torch.Tensor, prompts: torch.Tensor, structures: int) -> NetworkOutput:
            small = torch.nn.functional.avg_pool2d(images, 4).expand(-1, 5, -1, -1)
            patches = torch.zeros(len(images), 8, images.shape[2] // 16, images.shape[3] // 16)
            return NetworkOutput(images.expand(-1, 3, -1, -1), small, torch.zeros(len(images), 8, 32), patches)

    segmenter = SliceSegmenter(Brightest(), torch.zeros(8, 32), CONFIG)  # type: ignore[arg-type]
    for x, y in ((40, 60), (150, 190), (100, 20)):
        image = np.exp(-((np.arange(170) - x) ** 2 + (np.arange(210)[:, None] - y) ** 2) / 200.0)
        maps = segmenter.segment_slices(image[None], None)
        row, column = np.unravel_index(int(maps.level_maps[0, 2].argmax()), maps.level_maps.shape[2:])
        strides = maps.level_stride
        found = (column * strides[1] + (strides[1] - 1) / 2, row * strides[0] + (strides[0] - 1) / 2)
        assert found == pytest.approx((x, y), abs=strides[0] / 2 + 1)
        bright = np.argwhere(maps.probabilities[0, 0] > 0.7).mean(axis=0)
        assert (bright[1], bright[0]) == pytest.approx((x, y), abs=1)


def test_checksum_is_the_folders(root: Path, segmenter: SliceSegmenter) -> None:
    from runtime.weights import open_weights

    assert segmenter.checksum == open_weights("tiny", root).checksum


def test_wrong_shape_is_refused(segmenter: SliceSegmenter) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, H, W\)"):
        segmenter.segment_slices(np.zeros((4, 4)), None)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"mask_dim": 16', '"mask_dim": 12'))
    seal_weights(tmp_path / "model")
    with pytest.raises(WeightsError, match=r"does not fit config\.json"):
        SliceSegmenter.load(weights_root=tmp_path, name="model")


def test_baseline_without_a_text_tower_cannot_be_asked_by_words(tmp_path: Path) -> None:
    save(tmp_path / "baseline", NetworkConfig(**{**CONFIG.__dict__, "use_cross_attention": False}))
    baseline = SliceSegmenter.load(weights_root=tmp_path, name="baseline", device="cpu")
    assert baseline.segment_slices(np.ones((1, 64, 64)), None).probabilities.shape == (1, 3, 64, 64)
    with pytest.raises(WeightsError, match="no text tower"):
        baseline.segment_phrases(np.ones((1, 64, 64)), None, ["disc"])


@pytest.mark.weights
def test_shipped_weights_load_and_carry_their_text_tower() -> None:
    segmenter = SliceSegmenter.load(device="cpu")
    with torch.no_grad():
        embeddings = segmenter.text_prompts()
    assert torch.allclose(embeddings, segmenter.embeddings, atol=1e-4)
    assert (segmenter.config.long_side_px, segmenter.config.use_cross_attention) == (512, True)


@pytest.fixture(scope="module")
def with_context(tmp_path_factory: pytest.TempPathFactory) -> SliceSegmenter:
    root = tmp_path_factory.mktemp("context")
    save(root / "tiny", replace(CONFIG, context_slices=1))
    return SliceSegmenter.load(weights_root=root, name="tiny", device="cpu")


def test_a_slice_alone_is_its_own_neighbour(with_context: SliceSegmenter) -> None:
    images = np.random.default_rng(0).random((2, 96, 80))
    alone = with_context.segment_slices(images, None).probabilities
    beside_itself = with_context.segment_slices(images, None, np.stack([images, images], 1)).probabilities
    assert np.array_equal(alone, beside_itself)


def test_neighbours_are_seen_and_their_order_matters(with_context: SliceSegmenter) -> None:
    images, beside = np.random.default_rng(0).random((1, 96, 80)), np.random.default_rng(1).random((1, 2, 96, 80))
    once = with_context.segment_slices(images, None, beside).probabilities
    swapped = with_context.segment_slices(images, None, beside[:, ::-1]).probabilities
    assert not np.allclose(once, with_context.segment_slices(images, None).probabilities)
    assert not np.allclose(once, swapped)


def test_neighbours_of_another_size_are_refused(with_context: SliceSegmenter) -> None:
    with pytest.raises(ValueError, match="neighbours: expected"):
        with_context.segment_slices(np.ones((2, 96, 80)), None, np.ones((2, 1, 96, 80)))


def test_a_mirrored_view_is_mirrored_back(root: Path, segmenter: SliceSegmenter) -> None:
    image = np.random.default_rng(0).random((1, 96, 80))
    plain = SliceSegmenter(
        segmenter.network,
        segmenter.embeddings,
        replace(CONFIG, view_sides_px=(96,), view_gammas=(1.0,), view_flips=(False,)),
    )
    mirrored = SliceSegmenter(segmenter.network, segmenter.embeddings, replace(plain.config, view_flips=(True,)))
    expected = plain.segment_slices(image[..., ::-1].copy(), None)
    found = mirrored.segment_slices(image, None)
    assert np.allclose(found.probabilities, expected.probabilities[..., ::-1], atol=1e-5)
    assert np.allclose(found.level_maps, expected.level_maps[..., ::-1], atol=1e-5)
