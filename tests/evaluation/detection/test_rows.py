"""Boxes from CSV and JSONL, and each way they are refused."""

import json
from pathlib import Path

import pytest

from evaluation.detection.rows import read_boxes
from runtime import StudyError

HEAD = "id,label,x0,y0,x1,y1,score"


def written(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_study_without_boxes_is_a_row_without_a_label(tmp_path: Path) -> None:
    found = read_boxes(written(tmp_path / "a.csv", HEAD, "s1,cord,1,2,3,4,0.5", "s2,,,,,,"), is_scored=True)
    assert found["s2"] == []
    (box,) = found["s1"]
    assert (box.label, box.box, box.score, box.image) == ("cord", (1.0, 2.0, 3.0, 4.0), 0.5, "")


def test_json_lines_have_images(tmp_path: Path) -> None:
    boxes = [{"label": "cord", "box_px": [1, 2, 3, 4], "score": 0.5, "series": "S1", "slice": 0}]
    file = written(
        tmp_path / "a.jsonl", json.dumps({"id": "s1", "boxes": boxes}), json.dumps({"id": "s2", "boxes": []})
    )
    found = read_boxes(file, is_scored=True)
    assert found["s1"][0].image == "S1/0"
    assert found["s2"] == []


def test_true_boxes_need_no_score(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "id,label,x0,y0,x1,y1", "s1,cord,1,2,3,4")
    assert read_boxes(file, is_scored=False)["s1"][0].score == 1.0
    with pytest.raises(StudyError, match="line 2: score: expected a number for every predicted box"):
        read_boxes(file, is_scored=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("s1,cord,3,2,1,4,0.5", "line 2: box: expected x0 < x1 and y0 < y1, got 3, 2, 1, 4"),
        ("s1,cord,a,2,3,4,0.5", "line 2: box: expected a number, got 'a'"),
        ("s1,cord,1,2,3,4,nan", "line 2: score: expected a number, got 'nan'"),
        (",cord,1,2,3,4,0.5", "line 2: id: expected an identifier"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(StudyError) as error:
        read_boxes(written(tmp_path / "a.csv", HEAD, line), is_scored=True)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1: expected a JSON object, found no valid JSON"),
        ("[]", "line 1: expected a JSON object, got list"),
        ('{"id": "s1"}', "line 1: expected an id and a list of boxes, got ['id']"),
        (
            '{"id": "s1", "boxes": [{"label": "", "box_px": [1, 2, 3, 4]}]}',
            "line 1: label: expected a name, got ''",
        ),
        ('{"id": "s1", "boxes": [{"label": "a", "box_px": [1, 2]}]}', "line 1: box_px: expected x0, y0, x1, y1"),
        ("", "expected at least one line, found none"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(StudyError) as error:
        read_boxes(written(tmp_path / "a.jsonl", line), is_scored=True)
    assert words in str(error.value)
