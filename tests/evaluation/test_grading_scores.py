from pathlib import Path

import numpy as np
import pytest

from evaluation.grading import area_under_curve, quadratic_kappa
from evaluation.run import evaluate
from runtime import StudyError

_HEAD = "id,level,side,condition,grade\n"


def _csv(path: Path, grades: list[str], *, condition: str = "disc_degeneration") -> Path:
    rows = [f"p{number},L4-L5,,{condition},{grade}" for number, grade in enumerate(grades)]
    path.write_text(_HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_quadratic_kappa_by_hand() -> None:
    # three steps, weights (i-j)^2/4: observed disagreement 1/4 of one in four; expected from the margins
    truth, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])
    observed = (1 / 4) / 4
    margins_truth, margins_predicted = np.array([1, 1, 2]) / 4, np.array([1, 2, 1]) / 4
    weights = (np.arange(3)[:, None] - np.arange(3)[None]) ** 2 / 4
    expected = float((weights * np.outer(margins_truth, margins_predicted)).sum())
    assert quadratic_kappa(truth, predicted, steps=3) == pytest.approx(1 - observed / expected)


def test_auc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(area_under_curve(np.array([1, 1]), np.array([0.1, 0.2])))


def test_perfect_grades_score_one(tmp_path: Path) -> None:
    grades = ["I", "II", "III", "IV", "V", "III"]
    result = evaluate("grading", _csv(tmp_path / "a.csv", grades), _csv(tmp_path / "b.csv", grades))
    scores = result["conditions"]["disc_degeneration"]
    assert scores["quadratic_kappa"]["value"] == 1.0
    assert scores["accuracy"]["patients"] == 6


def test_a_grade_that_is_no_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="expected grades I, II, III, IV, V, got 'VI'"):
        evaluate("grading", _csv(tmp_path / "a.csv", ["VI"]), _csv(tmp_path / "b.csv", ["V"]))


def test_a_missing_prediction_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="1 reference rows have no prediction"):
        evaluate("grading", _csv(tmp_path / "a.csv", ["I"]), _csv(tmp_path / "b.csv", ["I", "II"]))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,grade\n1,I\n", encoding="utf-8")
    with pytest.raises(StudyError, match="missing level, side, condition"):
        evaluate("grading", tmp_path / "a.csv", tmp_path / "a.csv")
