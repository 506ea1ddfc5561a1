from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.run import evaluate
from evaluation.segmentation import overlap
from runtime import ConfigError, StudyError


def _write(folder: Path, name: str, labels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(folder / name)


def test_overlap_by_hand() -> None:
    left = np.array([1, 1, 1, 0], dtype=bool)
    right = np.array([0, 1, 1, 1], dtype=bool)
    score = overlap(left, right)
    assert score.dice == pytest.approx(4 / 6)
    assert score.iou == pytest.approx(2 / 4)


def test_a_structure_in_neither_mask_has_no_score() -> None:
    empty = np.zeros(4, dtype=bool)
    assert overlap(empty, empty).dice is None


def test_folders_are_scored_by_structure_whatever_the_level(tmp_path: Path) -> None:
    reference = np.zeros((4, 4), dtype=int)
    reference[0] = 202
    reference[1] = 5
    predicted = reference.copy()
    predicted[0] = 203  # the right shape under the wrong level name
    predicted[1, 2:] = 0
    _write(tmp_path / "a", "x.png", predicted)
    _write(tmp_path / "b", "x.png", reference)
    result = evaluate("segmentation", tmp_path / "a", tmp_path / "b")
    assert result["dice"]["disc"]["value"] == 1.0
    assert result["dice"]["vertebra"]["value"] == pytest.approx(4 / 6)
    assert "sacrum" not in result["dice"]


def test_a_missing_prediction_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    _write(tmp_path / "b", "x.png", np.ones((2, 2)))
    with pytest.raises(StudyError, match=r"expected a label map x\.png, found none"):
        evaluate("segmentation", tmp_path / "a", tmp_path / "b")


def test_shapes_must_agree(tmp_path: Path) -> None:
    _write(tmp_path / "a", "x.png", np.ones((2, 3)))
    _write(tmp_path / "b", "x.png", np.ones((2, 2)))
    with pytest.raises(StudyError, match="expected shape"):
        evaluate("segmentation", tmp_path / "a", tmp_path / "b")


def test_an_unknown_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of segmentation, grading, report, got 'dice'"):
        evaluate("dice", tmp_path, tmp_path)
