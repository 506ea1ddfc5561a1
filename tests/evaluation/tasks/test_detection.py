"""The detection task on CSV files."""

from pathlib import Path
from typing import Any

import pytest

from evaluation.options import EvaluationOptions
from evaluation.result import value_of
from evaluation.run import evaluate
from imaging.types import Spacing
from pipeline import Reading, ReadOptions, write_reading
from runtime import ConfigError, StudyError
from tests.pipeline.fakes import fake_reader

HEAD = "id,label,x0,y0,x1,y1,score"
BOX, FAR = "10,10,30,20", "50,50,60,60"


def written(file: Path, *lines: str) -> Path:
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return file


def test_labels_recall_and_false_positives(tmp_path: Path) -> None:
    truth = written(tmp_path / "b.csv", f"s1,cord,{BOX},", f"s2,cord,{BOX},", f"s2,disc,{FAR},", "s3,,,,,,")
    told = written(
        tmp_path / "a.csv",
        f"s1,cord,{BOX},0.9",
        f"s2,cord,{BOX},0.4",  # below the threshold: not shown
        f"s2,disc,{FAR},0.9",
        f"s3,disc,{BOX},0.8",  # false
    )
    (found,) = evaluate("detection", told, truth, EvaluationOptions(resamples=20)).evaluations
    figures = {name: value_of(figure) for name, figure in found.figures.items()}
    assert figures["map50_cord"] == pytest.approx(1.0)
    each = [figures[f"map50_{label}"] or 0.0 for label in ("cord", "disc")]
    assert figures["map50"] == pytest.approx(sum(each) / 2)
    assert figures["recall_50_cord"] == 0.5
    assert figures["false_positives_per_study"] == pytest.approx(1 / 3)
    assert [row["false_boxes"] for row in found.per_case] == [0, 0, 1]
    assert [row["label"] for row in found.tables["by_label"]] == ["cord", "disc"]
    (found,) = evaluate("detection", told, truth, EvaluationOptions(resamples=0, score_threshold=0.3)).evaluations
    assert found.figures["recall_50_cord"] == 1.0


def test_studies_that_are_not_listed_count_as_without_a_box(tmp_path: Path) -> None:
    truth = written(tmp_path / "b.csv", f"s1,cord,{BOX},", f"s2,cord,{BOX},")
    told = written(tmp_path / "a.csv", f"s1,cord,{BOX},0.9")
    (found,) = evaluate("detection", told, truth, EvaluationOptions(resamples=0)).evaluations
    assert found.figures["recall_50"] == 0.5
    assert "predictions: 1 of 2 studies are not listed" in found.notices[0]
    with pytest.raises(StudyError, match=r"c\.csv: expected the ids of b\.csv"):
        evaluate("detection", written(tmp_path / "c.csv", f"s9,cord,{BOX},0.9"), truth)


def test_boxes_of_another_image_do_not_match(tmp_path: Path) -> None:
    lines = [f"s1,cord,{BOX},{{score}},S1,{{slice}}"]
    head = f"{HEAD},series,slice\n"
    (tmp_path / "a.csv").write_text(head + lines[0].format(score=0.9, slice=3) + "\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(head + lines[0].format(score="", slice=4) + "\n", encoding="utf-8")
    (found,) = evaluate(
        "detection", tmp_path / "a.csv", tmp_path / "b.csv", EvaluationOptions(resamples=0)
    ).evaluations
    assert found.figures["map50"] == 0.0


def test_readings_without_boxes_have_no_precision(tmp_path: Path) -> None:
    *_, reading = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(reading, Reading)
    write_reading(reading, tmp_path / "a" / "case")
    (found,) = evaluate("detection", tmp_path / "a", tmp_path / "a", EvaluationOptions(resamples=0)).evaluations
    assert found.figures["map50"] is None
    assert "references: no box is there to be found: precision and recall have no value" in found.notices


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"score_threshold": 2.0}, "score_threshold: expected 0 to 1"),
        ({"tolerance_mm": 0.0}, "tolerance_mm: expected a number above 0"),
        ({"level_distance_mm": -1.0}, "level_distance_mm: expected a number above 0"),
        ({"resamples": -1}, "resamples: expected 0 or more"),
        ({"images": Path("x")}, "images: expected a table of splits"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EvaluationOptions(**options)
