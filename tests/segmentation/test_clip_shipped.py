"""The shipped region-text weights: prompts told apart, size, and what they say of phantoms and real discs."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from evaluation.grading import area_under_curve
from runtime.folds import spider_folds
from runtime.settings import load_settings
from segmentation.clip import RegionText, cut_regions
from segmentation.config import LEVEL_PHRASE, NetworkConfig
from segmentation.text_tower import build_text_tower
from segmentation.training.contrastive_draws import real_pool

STRUCTURES = ("disc", "vertebra", "spinal_canal", "sacrum", "spinal_cord", "ilium", "joint_space")
CERVICAL = ("C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1")


@pytest.fixture(scope="module")
def region_text() -> RegionText:
    return RegionText.load()


def cosine(region_text: RegionText, first: str, second: str) -> float:
    one, other = region_text.embed_phrases([first, second])
    return float(one @ other)


def test_no_two_prompts_are_alike(region_text: RegionText) -> None:
    config = NetworkConfig(structures=STRUCTURES, levels=(*NetworkConfig().levels, *CERVICAL))
    embedded = region_text.embed_phrases(config.phrases)
    cosines = embedded @ embedded.T - 2 * np.eye(len(embedded))
    assert len(embedded) == 18
    assert cosines.max() < 0.6


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("left ilium", "right ilium"),
        ("left sacroiliac joint space", "right sacroiliac joint space"),
        ("disc herniation", "no disc herniation"),
        ("severe disc degeneration at L4-L5", "severe disc degeneration at L3-L4"),
        (LEVEL_PHRASE.format(level="C5-C6"), LEVEL_PHRASE.format(level="C6-C7")),
        ("left lateral recess stenosis at L5-S1", "right lateral recess stenosis at L5-S1"),
    ],
)
def test_side_level_and_negation_matter(region_text: RegionText, first: str, second: str) -> None:
    assert cosine(region_text, first, second) < 0.9


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [
        ("intervertebral disc", "vertebral disc", "vertebra"),
        ("disc bulge at L4-L5", "L4-L5 bulging disc", "no disc bulge at L4-L5"),
        ("spinal canal stenosis", "central canal stenosis", "spinal canal"),
    ],
)
def test_what_means_the_same_lies_together(region_text: RegionText, first: str, second: str, other: str) -> None:
    assert cosine(region_text, first, second) > 0.85
    assert cosine(region_text, first, second) > cosine(region_text, first, other) + 0.2


def test_the_text_half_builds_the_prompts(region_text: RegionText) -> None:
    tower = build_text_tower(NetworkConfig())
    tower.load_state_dict(load_file(load_settings().weights_dir / "region-text" / "text_tower.safetensors"))


def test_size() -> None:
    folder = load_settings().weights_dir / "region-text"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000


def test_held_out_discs(region_text: RegionText, data_dir: Path) -> None:
    """Ten patients of fold 0, never seen: bulging discs lie nearer to what means bulging."""
    patients = sorted(patient for patient, fold in spider_folds().items() if fold == 0)[:12]
    pool = real_pool(data_dir, lambda patient: patient in patients)
    discs = [item for item in pool.regions if item.facts.grades and not item.facts.margin]
    crops = np.concatenate(
        [cut_regions(pool.patients[item.patient].images[0, 0], [item.centre], [item.pitch_px]) for item in discs]
    )
    (answer,) = region_text.score_findings(crops, {"bulging": ("bulging", "no_bulging")})
    truth = np.array([item.facts.grades["disc_bulging"] == {"present"} for item in discs])
    assert len(truth) > 40
    assert area_under_curve(truth, answer.scores.astype(float)) > 0.65
