"""The segmentation task on folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.bootstrap import Interval
from evaluation.options import EvaluationOptions
from evaluation.result import value_of
from evaluation.run import evaluate
from imaging.types import Spacing
from pipeline import Reading, ReadOptions, write_reading
from runtime import ConfigError, StudyError
from tests.pipeline.fakes import fake_reader

QUICK = EvaluationOptions(resamples=50)


def picture(folder: Path, name: str, labels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(folder / name)


def pair(tmp_path: Path, count: int = 1) -> tuple[Path, Path]:
    reference = np.zeros((40, 40), dtype=int)
    reference[2:6, 5:30] = 202
    reference[10:14, 5:30] = 5
    predicted = reference.copy()
    predicted[2:6, 5:30] = 203  # the right shape under the wrong level name
    predicted[10:14, 15:] = 0
    for number in range(count):
        picture(tmp_path / "a", f"x{number}.png", predicted)
        picture(tmp_path / "b", f"x{number}.png", reference)
    return tmp_path / "a", tmp_path / "b"


def test_structures_are_scored_whatever_the_level_and_levels_by_name(tmp_path: Path) -> None:
    run = evaluate("segmentation", *pair(tmp_path), EvaluationOptions(resamples=50, spacing_mm=(0.5, 0.5)))
    (found,) = run.evaluations
    assert value_of(found.figures["dice_disc"]) == 1.0
    assert value_of(found.figures["dice_vertebra"]) == pytest.approx(2 * 40 / 140)
    assert value_of(found.figures["level_wrong_by_one_share"]) == 1.0
    assert "dice_sacrum" not in found.figures
    levels = {row["level"]: row for row in found.tables["by_level"]}
    assert levels["L4-L5"]["wrong_by_one"] == 1
    assert levels["L4-L5"]["named_disc_dice"] == 0.0


def test_a_picture_without_spacing_has_overlap_but_no_distance(tmp_path: Path) -> None:
    (found,) = evaluate("segmentation", *pair(tmp_path), QUICK).evaluations
    assert value_of(found.figures["dice_disc"]) == 1.0
    assert found.figures["hd95_mm_disc"] is None
    assert any(notice.startswith("hd95_mm_disc: no case has it (spacing unknown") for notice in found.notices)
    assert "levels: not matched in 1 of 1 cases: spacing unknown" in found.notices


def test_what_is_in_neither_map_is_counted_not_scored(tmp_path: Path) -> None:
    a, b = pair(tmp_path)
    picture(a, "y.png", np.full((40, 40), 5))
    picture(b, "y.png", np.full((40, 40), 5))
    (found,) = evaluate("segmentation", a, b, QUICK).evaluations
    disc = next(row for row in found.tables["by_class"] if row["structure"] == "disc")
    assert (disc["in_both"], disc["in_neither"], disc["dice"]) == (1, 1, 1.0)
    assert {"structure": "sacrum", "reason": "in neither mask", "cases": 2} in found.tables["unscored"]
    rows = {row["id"]: row for row in found.per_case}
    assert rows["y"]["dice_disc"] is None


def test_cases_of_one_patient_are_drawn_together(tmp_path: Path) -> None:
    a, b = pair(tmp_path, count=4)
    patients = {"x0": "p", "x1": "p", "x2": "q"}
    (found,) = evaluate("segmentation", a, b, EvaluationOptions(resamples=50, patients=patients)).evaluations
    dice = found.figures["dice_disc"]
    assert isinstance(dice, Interval)
    assert dice.patients == found.patients == 3
    assert [row["patient"] for row in found.per_case] == ["p", "p", "q", "x3"]
    by_patient = {row["patient"]: row for row in found.tables["by_patient"]}
    assert (by_patient["p"]["cases"], by_patient["p"]["dice_disc"]) == (2, 1.0)


def test_readings_bring_their_spacing_and_their_levels(tmp_path: Path) -> None:
    *_, reading = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(reading, Reading)
    for side in ("a", "b"):
        write_reading(reading, tmp_path / side / "case")
    (found,) = evaluate("segmentation", tmp_path / "a", tmp_path / "b", QUICK).evaluations
    assert found.figures["level_found_share"] == 1.0
    assert found.figures["hd95_mm_disc"] == 0.0
    (tmp_path / "a" / "case" / "label_map.png").unlink()
    (tmp_path / "b" / "case" / "label_map.png").unlink()
    (found,) = evaluate("segmentation", tmp_path / "a", tmp_path / "b", QUICK).evaluations
    assert found.figures["level_found_share"] == 1.0
    assert "dice" not in found.figures


def test_bad_folders_are_named(tmp_path: Path) -> None:
    a, b = pair(tmp_path, count=2)
    (a / "x1.png").unlink()
    with pytest.raises(StudyError, match="1 of 2 have none, the first is 'x1'"):
        evaluate("segmentation", a, b)
    picture(a, "x1.png", np.ones((2, 3)))
    with pytest.raises(StudyError, match=r"x1\.png: expected shape \(40, 40\)"):
        evaluate("segmentation", a, b)
    (tmp_path / "none").mkdir()
    with pytest.raises(StudyError, match=r"none: expected label maps \(\.nii"):
        evaluate("segmentation", a, tmp_path / "none")
    with pytest.raises(StudyError, match="expected a folder of label maps"):
        evaluate("segmentation", a / "x0.png", b)


def test_an_unknown_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="expected one of report, segmentation, grading, detection, all, got 'dice'"
    ):
        evaluate("dice", tmp_path, tmp_path)
