"""A reading on disk: what is written, all or none, and what becomes of an earlier one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging.types import Spacing
from pipeline import Reading, ReadOptions, load_reading, reading_to_dict, write_error, write_reading
from runtime.errors import NotEligibleError, ReportError, StudyError
from tests.pipeline.fakes import COLUMNS, ROWS, fake_reader

FILES = {"reading.json", "report.md", "overlay.png", "label_map.png"}


@pytest.fixture(scope="module")
def reading() -> Reading:
    *_, last = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(last, Reading)
    return last


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_writes_the_four_files_of_the_contract(reading: Reading, tmp_path: Path) -> None:
    files = write_reading(reading, tmp_path / "deep" / "out")
    folder = tmp_path / "deep" / "out"
    assert files[0] == folder / "reading.json"
    assert names(folder) == FILES == {file.name for file in files}
    assert load_reading(folder / "reading.json") == reading_to_dict(reading)
    with Image.open(folder / "label_map.png") as picture:
        labels = np.asarray(picture)
    assert labels.shape == (ROWS, COLUMNS)
    assert labels.dtype == np.uint8
    label_map = reading.segmented.label_map("S1")
    assert label_map is not None
    np.testing.assert_array_equal(labels, label_map.array[:, :, 0].T)
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "Disc bulge at L4-L5." in report
    assert "Research use only" in report
    # A notice that the findings do not carry still reaches the reader.
    assert "- the sequence is assumed to be T2" in report


def test_an_override_stands_above_the_report_once(tmp_path: Path) -> None:
    *_, last = fake_reader().read(Path("nospine.png"), ReadOptions(override="a <b>known</b> spine"))
    assert isinstance(last, Reading)
    write_reading(last, tmp_path)
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("> **")
    assert lines[2].startswith(
        "> **Read although not eligible, on a person's word (“a &lt;b&gt;known&lt;/b&gt; spine”)"
    )
    assert sum("Read although not eligible" in line for line in lines) == 1
    stored = load_reading(tmp_path / "reading.json")
    assert stored["eligibility"] == {
        "eligible": False,
        "reasons": ["no spine was found in the picture"],
        "overridden": {"reason": "a <b>known</b> spine", "codes": ["no_spine_found"]},
        "ood": {"score": -3.0, "p_value": 0.01, "threshold": 0.02},
    }
    assert stored["notices"][0] == last.alert


def test_same_reading_gives_the_same_bytes(reading: Reading, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_reading(reading, tmp_path / name)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_is_written_when_the_reading_breaks_its_contract(reading: Reading, tmp_path: Path) -> None:
    broken = replace(reading, findings=replace(reading.findings, grades=()))
    with pytest.raises(ReportError, match="which does not exist"):
        write_reading(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_later_reading_replaces_an_earlier_one(reading: Reading, tmp_path: Path) -> None:
    write_reading(reading, tmp_path)
    (tmp_path / "label_map.nii.gz").write_bytes(b"of an earlier study")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_error(StudyError("x"), "x.png", tmp_path / "elsewhere")
    write_reading(reading, tmp_path)
    assert names(tmp_path) == FILES | {"notes.txt", "elsewhere"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            StudyError("a.png: expected an image, found text"),
            {
                "exit_code": 2,
                "kind": "StudyError",
                "code": None,
                "message": "a.png: expected an image, found text",
            },
        ),
        (
            NotEligibleError("no spine was found", code="no_spine_found"),
            {
                "exit_code": 3,
                "kind": "NotEligibleError",
                "code": "no_spine_found",
                "message": "no spine was found",
            },
        ),
        (
            KeyError("Patient^Name"),
            {
                "exit_code": 1,
                "kind": "InternalError",
                "code": None,
                "message": "an unexpected error of SpineScribe; see error.log",
            },
        ),
    ],
)
def test_an_error_takes_the_place_of_an_earlier_reading(
    reading: Reading, tmp_path: Path, error: Exception, expected: dict[str, object]
) -> None:
    write_reading(reading, tmp_path)
    write_error(error, "a.png", tmp_path)
    assert names(tmp_path) == {"error.json"}
    content = json.loads((tmp_path / "error.json").read_text(encoding="utf-8"))
    assert content == {"schema": "spinescribe.error/1", "file": "a.png", **expected}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "reading.json").write_text('{"schema": "my own"}', encoding="utf-8")
    (tmp_path / "report.md").write_text("my own", encoding="utf-8")
    write_error(StudyError("x"), "x.png", tmp_path)
    assert names(tmp_path) == {"reading.json", "report.md", "error.json"}
