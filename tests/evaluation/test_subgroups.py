"""Subgroups and patients from CSV."""

from pathlib import Path

import pytest

from evaluation.subgroups import read_patients, read_subgroups
from runtime import StudyError


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_age_becomes_a_band_and_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    text = "id,sex,age\na,F,39.9\nb,M,40\nc,,79\nd,F,80\ne,F,\n"
    groups = read_subgroups(written(tmp_path / "g.csv", text))
    ids = ["a", "b", "c", "d", "e", "f"]
    assert groups.names == ("sex", "age_band")
    assert groups.groups("sex", ids) == {"F": [0, 3, 4], "M": [1], "unknown": [2, 5]}
    bands = {"40 to 59": [1], "60 to 79": [2], "80 and over": [3], "under 40": [0], "unknown": [4, 5]}
    assert groups.groups("age_band", ids) == bands
    assert groups.unlisted(ids) == ["f"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id\na\n", "expected a column beside id"),
        ("name,sex\na,F\n", "missing id"),
        ("id,sex\na,F\na,M\n", "expected each id once, found 'a' twice"),
        ("id,age\na,old\n", "column age: expected years as a number, got 'old'"),
        ("id,age\na,200\n", "column age: expected 0 to 130 years, got '200'"),
        ("id,sex\n", "expected at least one row"),
    ],
)
def test_bad_groups_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        read_subgroups(written(tmp_path / "g.csv", text))


def test_patients(tmp_path: Path) -> None:
    assert read_patients(written(tmp_path / "p.csv", "id,patient\na,1\nb,1\n")) == {"a": "1", "b": "1"}
    with pytest.raises(StudyError, match="expected a patient, found none"):
        read_patients(written(tmp_path / "p.csv", "id,patient\na,\n"))
    with pytest.raises(StudyError, match="found 'a' twice"):
        read_patients(written(tmp_path / "p.csv", "id,patient\na,1\na,2\n"))
