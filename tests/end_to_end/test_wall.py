"""Malformed input through the command line: exit code 2 (or 3), one line, one error.json, nothing else."""

import json
from pathlib import Path

import pytest

from cli.main import main
from tests.imaging.corpus import SECRETS, Case, load_group

CASES = (
    ("archives", "entries_that_share_one_member", 2),
    ("archives", "damaged_member_with_control_characters", 2),
    ("dicom", "rows_of_one_more", 2),
    ("dicom", "colours", 3),
    ("folders", "damaged_file_whose_name_is_no_utf_8", 2),
    ("folders", "damaged_file_whose_name_holds_control_characters", 2),
    ("folders", "pipe", 2),
    ("folders", "name_too_long_for_any_file", 2),
    ("nesting", "undefined_10_000_deep", 2),
    ("pictures", "png_of_3600_megapixels_in_few_bytes", 2),
    ("volumes", "affine_of_nan", 2),
)


def _case(group: str, name: str) -> Case:
    return load_group(group).cases[name]


@pytest.mark.parametrize(("group", "name", "code"), CASES)
def test_malformed_input_ends_in_one_line(
    group: str, name: str, code: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = _case(group, name)
    (tmp_path / "in").mkdir()
    source = case.write(tmp_path / "in")
    out = tmp_path / "out"
    assert main(["read", str(source), "--out", str(out)]) == code
    lines = [line for line in capfd.readouterr().err.splitlines() if "% reading the images" not in line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("spinescribe: ")
    assert lines[0].isprintable()
    assert [file.name for file in out.iterdir()] == ["error.json"]
    error = json.loads((out / "error.json").read_text(encoding="utf-8"))
    assert error["exit_code"] == code
    assert error["kind"] == case.kind
    assert case.code in (None, error["code"])
    spoken = lines[0] + (out / "error.json").read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in spoken]
    assert str(tmp_path / "in") not in spoken
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
