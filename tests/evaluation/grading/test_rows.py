"""Grades from CSV and from readings, and each way a CSV is refused."""

from pathlib import Path

import pytest

from evaluation.grading.rows import Place, read_grades
from pipeline import Reading, ReadOptions, write_reading
from runtime import StudyError
from tests.pipeline.fakes import fake_reader

HEAD = "id,level,side,condition,grade"


def written(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_row_with_everything(tmp_path: Path) -> None:
    rows = read_grades(
        written(
            tmp_path / "a.csv",
            f"{HEAD},patient,probabilities,prediction_set",
            "s1,L4/5,left,neural_foraminal_narrowing,moderate,p1,normal_mild=0.3;moderate=0.7,normal_mild|moderate",
            's1,L4-L5,,modic,,p1,"{""1"": 0.25, ""2"": 0.75}",',
        )
    )
    place = Place("s1", "L4-L5", "left", "neural_foraminal_narrowing", "rsna")
    assert rows[place].grade == "moderate"
    assert rows[place].probabilities == (0.3, 0.7, 0.0)
    assert rows[place].prediction_set == ("normal_mild", "moderate")
    assert rows[place].patient == "p1"
    modic = rows[Place("s1", "L4-L5", "", "modic", "modic")]
    assert (modic.grade, modic.probabilities, modic.prediction_set) == (None, (0.0, 0.25, 0.75, 0.0), None)


def test_a_condition_with_two_scales(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv",
        f"{HEAD},scale",
        "s1,C4-C5,,cord_compression,2,kang",
        "s1,C4-C5,,cord_compression,present,",
    )
    assert {place.scale for place in read_grades(file)} == {"kang", "presence"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["id,grade", "1,I"], "missing level, side, condition"),
        ([HEAD], "expected at least one row"),
        ([HEAD, "1,L4-L5,,disc_degeneration,VI"], "line 2: expected grades I, II, III, IV, V, got 'VI'"),
        ([HEAD, "1,L9-L5,,disc_degeneration,V"], "line 2: level: expected a disc level"),
        ([HEAD, "1,L4-L5,up,disc_degeneration,V"], "line 2: side: expected left, right or nothing, got 'up'"),
        ([HEAD, "1,L4-L5,,backache,V"], "line 2: condition: expected one of"),
        ([HEAD, "1,L4-L5,,annular_tear,present"], "line 2: condition annular_tear: has no grading scale"),
        ([HEAD, ",L4-L5,,disc_degeneration,V"], "line 2: id: expected an identifier"),
        ([HEAD, "1,L4-L5,,disc_degeneration"], "line 2: expected 5 cells"),
        ([f"{HEAD},scale", "1,L4-L5,,modic,1,rsna"], "line 2: scale: expected one of modic, got 'rsna'"),
        (
            [HEAD, *["1,L4-L5,,disc_degeneration,V"] * 2],
            "line 3: expected each id, level, side, condition and scale once",
        ),
        ([f"{HEAD},probabilities", "1,L4-L5,,modic,1,0.7"], "line 2: probabilities: expected step=number"),
        ([f"{HEAD},probabilities", "1,L4-L5,,modic,1,1=0.7"], "expected shares that sum to 1"),
        ([f"{HEAD},probabilities", "1,L4-L5,,modic,1,7=1"], "probabilities: expected grades 0, 1, 2, 3, got '7'"),
        ([f"{HEAD},prediction_set", "1,L4-L5,,modic,1,1|9"], "expected grades 0, 1, 2, 3, got '9'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(StudyError) as error:
        read_grades(written(tmp_path / "a.csv", *lines))
    assert words in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\xff")
    with pytest.raises(StudyError, match=r"a\.csv: expected a CSV file in UTF-8, found other bytes at 2"):
        read_grades(tmp_path / "a.csv")
    with pytest.raises(StudyError, match=r"none\.csv: expected a CSV file, found none"):
        read_grades(tmp_path / "none.csv")
    with pytest.raises(StudyError, match=r"long\.csv: line 2: expected a CSV file, found field larger than"):
        read_grades(written(tmp_path / "long.csv", HEAD, "1," + 200_000 * "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="expected a CSV file or a folder of readings, found none"):
        read_grades(tmp_path / "empty")


def test_a_folder_of_readings(tmp_path: Path) -> None:
    *_, reading = fake_reader().read(Path("scan.png"), ReadOptions())
    assert isinstance(reading, Reading)
    for case in ("a", "b"):
        write_reading(reading, tmp_path / case)
    rows = read_grades(tmp_path)
    assert len(rows) == 40
    place = Place("b", "L3-L4", "", "disc_degeneration", "pfirrmann")
    assert rows[place].grade == "III"
    assert rows[place].prediction_set == ("III",)
    assert rows[Place("b", "L3-L4", "", "modic", "modic")].grade is None
    alone = read_grades(tmp_path / "a" / "reading.json")
    assert {place.id for place in alone} == {"a"}
