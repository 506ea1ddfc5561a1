"""Regions and phrases: statements against hand-made facts, crops against drawn slices, the model through disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import DISC_LEVELS, STRUCTURES
from runtime.errors import ConfigError, WeightsError
from runtime.weights import seal_weights
from segmentation.clip.build import MODEL, TEXT_TOWER, build_clip, load_clip, load_text, save_clip
from segmentation.clip.config import ClipConfig, clip_config
from segmentation.clip.crops import FIELDS_PITCHES, SIDE_PX, cut_region, cut_regions
from segmentation.clip.predict import RegionText
from segmentation.clip.statements import RegionFacts, Statement, statements
from segmentation.config import LEVEL_PHRASE, NetworkConfig
from segmentation.text_tower import UNKNOWN, build_text_tower, tokenize, vocabulary, vocabulary_digest

TINY = ClipConfig(visual_layers=(1, 1, 1, 1), visual_width=8, visual_head_width=32, text_layers=1)


def said(kind: str, name: str, place: str | None = None, side: str | None = None) -> Statement:
    (found,) = [s for s in statements() if (s.kind, s.name, s.place, s.side) == (kind, name, place, side)]
    return found


class TestStatements:
    def test_every_word_is_in_the_vocabulary_and_every_phrase_fits(self) -> None:
        unknown = vocabulary()[UNKNOWN]
        wordings = [wording for statement in statements() for wording in statement.wordings]
        tokens = tokenize(wordings, NetworkConfig().context_length)
        assert not (tokens == unknown).any()
        assert len({wording.lower() for wording in wordings}) == len(wordings) > 3000

    def test_every_prompt_of_the_network_is_a_wording(self) -> None:
        wordings = {wording for statement in statements() for wording in statement.wordings}
        prompts = [info.phrase for info in STRUCTURES.values()]
        assert {*prompts, *(LEVEL_PHRASE.format(level=level) for level in DISC_LEVELS)} <= wordings

    def test_a_finding_holds_by_grade_level_and_side(self) -> None:
        disc = RegionFacts(
            frozenset({"disc"}),
            "L4-L5",
            grades={"disc_degeneration": frozenset({"IV"}), "disc_herniation": frozenset({"absent"})},
        )
        assert said("finding", "severe_degeneration").holds(disc) is True
        assert said("finding", "pfirrmann_v").holds(disc) is False
        assert said("finding", "severe_degeneration", "L4-L5").holds(disc) is True
        assert said("finding", "severe_degeneration", "L3-L4").holds(disc) is False
        assert said("finding", "no_herniation").holds(disc) is True
        assert said("finding", "herniation").holds(disc) is False
        joint = RegionFacts(
            frozenset({"joint_space"}), side="left", grades={"sacroiliitis": frozenset({"moderate"})}
        )
        assert said("finding", "sacroiliitis_moderate", side="left").holds(joint) is True
        assert said("finding", "sacroiliitis_moderate", side="right").holds(joint) is False

    def test_what_a_region_does_not_show_is_unknown(self) -> None:
        disc = RegionFacts(frozenset({"disc"}), "L4-L5", grades={"disc_narrowing": frozenset({"absent"})})
        assert said("finding", "canal_stenosis").holds(disc) is None
        # a normal disc: narrowing is absent as it should be, the rest is not known
        assert said("finding", "normal_disc").holds(disc) is None
        degenerated = RegionFacts(frozenset({"disc"}), grades={"disc_degeneration": frozenset({"V"})})
        assert said("finding", "normal_disc").holds(degenerated) is False
        assert said("vertebra", "vertebra", "L4").holds(RegionFacts()) is None

    def test_structures_and_places(self) -> None:
        cord = RegionFacts(frozenset({"spinal_canal", "spinal_cord"}))
        assert said("structure", "spinal_canal").holds(cord) is True  # the canal holds the cord
        assert said("structure", "disc").holds(cord) is False
        margin = RegionFacts(None, "C5-C6", margin=True)
        assert said("margin", "margin", "C5-C6").holds(margin) is True
        assert said("margin", "margin", "C4-C5").holds(margin) is False
        assert said("disc", "disc", "C5-C6").holds(margin) is None  # between disc and canal
        vertebra = RegionFacts(frozenset({"vertebra"}), vertebra="L4")
        assert said("vertebra", "vertebra", "L4").holds(vertebra) is True
        assert said("vertebra", "vertebra", "L5").holds(vertebra) is False
        assert said("disc", "disc", "L4-L5").holds(vertebra) is False


class TestCrops:
    def test_fields_are_centred_and_as_wide_as_said(self) -> None:
        image = np.zeros((200, 300))
        image[80:121, 140:161] = 100.0  # 21 columns x 41 rows about (150, 100)
        crop = cut_region(image, (150.0, 100.0), 20.0)
        assert crop.shape == (3, SIDE_PX, SIDE_PX)
        for channel, pitches in zip(crop, FIELDS_PITCHES, strict=True):
            bright = channel > channel.min() + 0.5 * (channel.max() - channel.min())
            shown = SIDE_PX / (pitches * 20.0)  # crop pixels per image pixel
            assert bright.any(axis=0).sum() == pytest.approx(min(21 * shown, SIDE_PX), abs=2)
            assert bright.any(axis=1).sum() == pytest.approx(min(41 * shown, SIDE_PX), abs=2)

    def test_tall_pixels_are_made_square(self) -> None:
        image = np.random.default_rng(0).normal(size=(64, 128)).repeat(2, axis=0)  # square pixels: 128 x 128
        tall = image[::2]  # rows twice as far apart
        first = cut_region(image, (64.0, 60.5), 8.0)[0]
        second = cut_region(tall, (64.0, 30.0), 8.0, aspect=2.0)[0]
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.85

    def test_a_region_at_the_border_is_black_outside(self) -> None:
        crop = cut_region(np.full((50, 50), 7.0) + np.eye(50), (0.0, 25.0), 10.0)
        assert np.ptp(crop[2][:, : SIDE_PX // 2 - 2]) == pytest.approx(0)
        assert crop[2][:, : SIDE_PX // 2 - 2].max() < crop[2][:, SIDE_PX // 2 + 2 :].max()

    def test_brightness_and_contrast_do_not_matter(self) -> None:
        image = np.random.default_rng(1).uniform(0, 200, (80, 80))
        first = cut_region(image, (40.0, 40.0), 6.0)
        second = cut_region(image * 3.5, (40.0, 40.0), 6.0)
        np.testing.assert_allclose(first, second, atol=1e-4)

    def test_pitches_must_fit(self) -> None:
        with pytest.raises(ValueError, match="as many positive pitches as centres"):
            cut_regions(np.zeros((8, 8)), [(1.0, 1.0)], [0.0])
        with pytest.raises(ValueError, match="as many positive pitches as centres"):
            cut_regions(np.zeros((8, 8)), [(1.0, 1.0)], [1.0, 2.0])


class TestModel:
    def test_its_text_tower_is_that_of_the_prompts(self) -> None:
        model = build_clip(ClipConfig()).eval()
        tower = build_text_tower(NetworkConfig()).eval()
        tower.load_state_dict(model.text.state_dict())
        tokens = tokenize(NetworkConfig().phrases, 16)
        with torch.no_grad():
            torch.testing.assert_close(tower(tokens), model.encode_text(tokens))

    def test_through_the_disk(self, tmp_path: Path) -> None:
        first = build_clip(TINY).eval()
        with torch.no_grad():
            first.logit_scale.add_(0.5)
        save_clip(first, tmp_path)
        second = build_clip(TINY).eval()
        load_clip(second, tmp_path)
        for key, value in first.state_dict().items():
            torch.testing.assert_close(second.state_dict()[key], value, rtol=0, atol=0)

    def test_what_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        save_clip(build_clip(TINY), tmp_path)
        with pytest.raises(WeightsError, match=r"text_tower.safetensors does not fit"):
            load_text(build_clip(ClipConfig()), tmp_path / TEXT_TOWER)
        (tmp_path / MODEL).unlink()
        with pytest.raises(WeightsError, match=r"expected model.safetensors .* train it first"):
            load_clip(build_clip(TINY), tmp_path)

    def test_configuration_names_the_wrong_key(self) -> None:
        with pytest.raises(ConfigError, match="unknown keys depth"):
            clip_config({"depth": 3})
        with pytest.raises(ConfigError, match="visual_width: expected int, got 'wide'"):
            clip_config({"visual_width": "wide"})
        with pytest.raises(ConfigError, match="visual_layers: expected 4 numbers"):
            clip_config({"visual_layers": [1, 1]})


class TestRegionText:
    def test_similarities_are_cosines_of_the_model(self) -> None:
        model = build_clip(TINY).eval()
        region_text = RegionText(model, TINY)
        crops = np.random.default_rng(2).normal(size=(3, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
        phrases = ("normal disc", "disc herniation at L5-S1")
        with torch.no_grad():
            images = model.encode_image(torch.from_numpy(crops))
            texts = model.encode_text(tokenize(phrases, 16))
        expected = torch.cosine_similarity(images[:, None], texts[None], dim=-1)
        np.testing.assert_allclose(region_text.similarity(crops, phrases), expected.numpy(), atol=1e-5)

    def test_swapped_questions_swap_the_sign(self) -> None:
        region_text = RegionText(build_clip(TINY), TINY)
        crops = np.random.default_rng(3).normal(size=(2, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
        one, other = region_text.score_findings(
            crops, {"a": ("narrowing", "no_narrowing"), "b": ("no_narrowing", "narrowing")}
        )
        assert one.name == "a"
        np.testing.assert_allclose(one.scores, -other.scores, atol=1e-6)

    def test_wrong_shapes_and_words(self) -> None:
        region_text = RegionText(build_clip(TINY), TINY)
        with pytest.raises(ValueError, match="crops: expected shape"):
            region_text.embed_regions(np.zeros((1, 1, 96, 96), np.float32))
        with pytest.raises(ValueError, match="at most 14 words"):
            region_text.embed_phrases(["disc " * 15])
        assert region_text.embed_regions(np.zeros((0, 3, SIDE_PX, SIDE_PX), np.float32)).shape == (0, 128)

    def test_weights_of_other_words_or_crops_are_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "region-text"
        folder.mkdir()
        save_clip(build_clip(TINY), folder)
        crops = {"side_px": SIDE_PX, "fields_pitches": list(FIELDS_PITCHES)}
        record = {"model": TINY.to_dict(), "crops": crops, "vocabulary_sha256": vocabulary_digest()}

        def write(**changes: object) -> None:
            (folder / "config.json").write_text(json.dumps(record | changes), encoding="utf-8")
            seal_weights(folder)

        write()
        loaded = RegionText.load(root=tmp_path)
        assert loaded.embed_phrases(["sacrum"]).shape == (1, 128)
        write(vocabulary_sha256="0" * 64)
        with pytest.raises(WeightsError, match="made for another"):
            RegionText.load(root=tmp_path)
        write(crops={"side_px": 64, "fields_pitches": [1.0]})
        with pytest.raises(WeightsError, match="expected crops as in"):
            RegionText.load(root=tmp_path)
