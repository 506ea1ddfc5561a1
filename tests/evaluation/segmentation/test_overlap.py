"""Dice and IoU by hand."""

import numpy as np
import pytest

from evaluation.segmentation import STRUCTURE_LABELS, overlap


def test_overlap_by_hand() -> None:
    left = np.array([1, 1, 1, 0], dtype=bool)
    right = np.array([0, 1, 1, 1], dtype=bool)
    score = overlap(left, right)
    assert score.dice == pytest.approx(4 / 6)
    assert score.iou == pytest.approx(2 / 4)


def test_a_structure_in_neither_mask_has_no_score_and_in_one_has_nought() -> None:
    empty, full = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    assert overlap(empty, empty).dice is None
    assert overlap(empty, empty).iou is None
    assert overlap(full, empty).dice == overlap(empty, full).iou == 0.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="expected shape"):
        overlap(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


def test_structures_are_told_from_codes() -> None:
    labels = np.array([1, 24, 201, 223, 100, 101, 50, 51, 54, 0])
    found = {name: np.flatnonzero(choose(labels)).tolist() for name, choose in STRUCTURE_LABELS.items()}
    assert found["vertebra"] == [0, 1]
    assert found["disc"] == [2, 3]
    assert found["spinal_canal"] == [4, 5]
    assert found["spinal_cord"] == [5]
    assert (found["sacrum"], found["ilium"], found["joint_space"]) == ([6], [7], [8])
