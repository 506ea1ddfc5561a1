"""The grading task on CSV files."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.options import EvaluationOptions
from evaluation.result import value_of
from evaluation.run import evaluate
from evaluation.subgroups import Subgroups
from runtime import StudyError

HEAD = "id,level,side,condition,grade,probabilities,prediction_set"
STEPS = ("normal_mild", "moderate", "severe")
QUICK = EvaluationOptions(resamples=50)


def drawn(tmp_path: Path, count: int = 12) -> tuple[Path, Path]:
    rng = np.random.default_rng(2)
    told, truth = [HEAD], [HEAD]
    for number in range(count):
        for level in ("L3-L4", "L4-L5"):
            step = int(rng.integers(0, 3))
            shares = rng.dirichlet(np.ones(3) + 3 * (np.arange(3) == step))
            named = int(shares.argmax())
            pairs = ";".join(f"{word}={share:.6f}" for word, share in zip(STEPS, shares, strict=True))
            told.append(f"s{number},{level},,spinal_canal_stenosis,{STEPS[named]},{pairs},{STEPS[named]}|moderate")
            truth.append(f"s{number},{level},,spinal_canal_stenosis,{STEPS[step]},,")
    for name, lines in (("a.csv", told), ("b.csv", truth)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "a.csv", tmp_path / "b.csv"


def grades(file: Path, steps: list[str]) -> Path:
    lines = [f"p{number},L4-L5,,disc_degeneration,{step},," for number, step in enumerate(steps)]
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return file


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def test_all_tables_and_figures(tmp_path: Path) -> None:
    groups = Subgroups(("sex",), {f"s{number}": {"sex": "FM"[number > 8]} for number in range(12)})
    (found,) = evaluate("grading", *drawn(tmp_path), EvaluationOptions(resamples=50, subgroups=groups)).evaluations
    for name in ("accuracy", "macro_f1", "quadratic_kappa", "rsna_log_loss", "auc", "ece", "coverage", "set_size"):
        assert found.figures[name] is not None
        assert name in found.headline
    assert len(found.per_case) == 12
    rows = {(row["subgroup"], row["group"], row["metric"]): row for row in found.tables["subgroups"]}
    assert rows["sex", "M", "accuracy"]["patients"] == 3
    assert rows["sex", "M", "accuracy"]["is_few"] is True
    assert rows["sex", "F", "accuracy"]["is_few"] is False
    assert rows["level", "L4-L5", "accuracy"]["patients"] == 12
    per_level = [number(row["accuracy"]) for row in found.tables["by_level"]]
    overall = value_of(found.figures["accuracy"])
    assert overall == pytest.approx(np.mean(per_level))
    assert sum(number(row["places"]) for row in found.tables["confusion"]) == 24
    assert sum(number(row["places"]) for row in found.tables["coverage"]) == 24


def test_perfect_grades_score_one(tmp_path: Path) -> None:
    steps = ["I", "II", "III", "IV", "V", "III"]
    a, b = grades(tmp_path / "a.csv", steps), grades(tmp_path / "b.csv", steps)
    (found,) = evaluate("grading", a, b, QUICK).evaluations
    assert value_of(found.figures["quadratic_kappa_disc_degeneration"]) == 1.0
    assert found.figures["auc"] is None
    assert "auc: no probabilities, or only one class is there" in found.notices
    assert found.patients == 6


def test_a_place_without_a_grade_is_counted_and_left_out(tmp_path: Path) -> None:
    a, b = grades(tmp_path / "a.csv", ["I", ""]), grades(tmp_path / "b.csv", ["I", "II"])
    (found,) = evaluate("grading", a, b, QUICK).evaluations
    assert value_of(found.figures["accuracy"]) == 1.0
    assert value_of(found.figures["graded_share"]) == 0.5
    assert any(
        notice.startswith("disc_degeneration: 1 of 2 places have no predicted grade") for notice in found.notices
    )
    named = {(row["truth"], row["named"]): row["places"] for row in found.tables["confusion"]}
    assert named["II", "not graded"] == 1


def test_what_is_not_scored_is_said(tmp_path: Path) -> None:
    a, b = grades(tmp_path / "a.csv", ["I", "II", "III"]), grades(tmp_path / "b.csv", ["I", ""])
    (found,) = evaluate("grading", a, b, QUICK).evaluations
    assert "references: 1 places are not assessable and were left out" in found.notices
    assert "predictions: 1 grades have no reference and are not scored" in found.notices


def test_missing_cases_are_named(tmp_path: Path) -> None:
    a, b = grades(tmp_path / "a.csv", ["I"]), grades(tmp_path / "b.csv", ["I", "II"])
    with pytest.raises(StudyError, match="1 of 2 have none, the first is 'p1'"):
        evaluate("grading", a, b)
    with pytest.raises(StudyError, match=r"b\.csv: expected at least one graded place"):
        evaluate("grading", a, grades(tmp_path / "b.csv", [""]))
