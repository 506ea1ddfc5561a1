"""Level localisation by hand."""

import numpy as np
import pytest

from anatomy import disc_label
from evaluation.segmentation.label_map import LabelImage
from evaluation.segmentation.levels import level_centres, match_levels

LEVELS = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")


def chain(shift_mm: float = 0.0, levels: tuple[str, ...] = LEVELS) -> dict[str, np.ndarray]:
    return {name: np.array([0.0, 0.0, -35.0 * place + shift_mm]) for place, name in enumerate(levels)}


def test_found_with_its_distance() -> None:
    found = match_levels(chain(3.0), chain(), distance_mm=20)
    assert found.count("found") == 4
    assert found.distance_mm["L4-L5"] == pytest.approx(3.0)


def test_a_chain_named_one_too_high_is_wrong_by_one() -> None:
    named = chain(levels=("L1-L2", "L2-L3", "L3-L4", "L4-L5"))
    found = match_levels(named, chain(), distance_mm=20)
    assert found.count("wrong_by_one") == 4
    assert not found.distance_mm


def test_wrong_by_more_and_missed() -> None:
    told = {"T12-L1": np.array([0.0, 0.0, 0.0])}
    found = match_levels(told, chain(), distance_mm=20)
    assert found.outcome["L2-L3"] == "wrong_by_more"
    assert [found.outcome[name] for name in LEVELS[1:]] == ["missed"] * 3


def test_a_centre_nearer_to_another_level_is_not_found() -> None:
    near = {"C4-C5": np.array([0.0, 0.0, 0.0]), "C5-C6": np.array([0.0, 0.0, -16.0])}
    told = {"C4-C5": np.array([0.0, 0.0, -14.0])}  # within 20 mm of its own, but at C5-C6
    assert match_levels(told, near, distance_mm=20).outcome == {"C4-C5": "missed", "C5-C6": "wrong_by_one"}


def test_beyond_the_distance_is_missed() -> None:
    assert match_levels(chain(12.0), chain(), distance_mm=10).count("missed") == 4


def test_centres_of_a_label_map_are_in_world_millimetres() -> None:
    labels = np.zeros((10, 10, 4), dtype=np.int64)
    labels[2:5, 4:7, 1:3] = disc_label("L4-L5")
    affine = np.array([[0.0, 0, 4, 10], [2, 0, 0, 0], [0, -3, 0, 5], [0, 0, 0, 1]])
    centres = level_centres(LabelImage("x", labels, (2.0, 3.0, 4.0), affine))
    assert centres is not None
    np.testing.assert_allclose(centres["L4-L5"], [4 * 1.5 + 10, 2 * 3, -3 * 5 + 5])
    flat = level_centres(LabelImage("x", labels[..., 1], (0.5, 2.0), None))
    assert flat is not None
    np.testing.assert_allclose(flat["L4-L5"], [1.5, 10.0])
    assert level_centres(LabelImage("x", labels[..., 1], None, None)) is None
