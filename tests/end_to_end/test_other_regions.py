"""From the command line: phantoms of regions whose weights are not made yet are written, and refused by name."""

import json
from pathlib import Path

import pytest

from cli.main import main


@pytest.mark.parametrize("protocol", ["cervical", "sacroiliac"])
def test_a_phantom_is_written_and_reading_it_says_that_weights_are_not_installed(
    protocol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phantom", "--protocol", protocol, "--seed", "7", "--out", str(tmp_path)]) == 0
    folder = tmp_path / "phantom_0007"
    assert {file.name for file in folder.iterdir()} >= {"study.zip", "truth.json", "reference_report.md", "dicom"}
    assert json.loads((folder / "truth.json").read_text(encoding="utf-8"))["protocol"] == protocol
    out = tmp_path / "out"
    assert main(["read", str(folder / "study.zip"), "--out", str(out)]) == 3  # the region is found by itself
    said = capsys.readouterr().err
    assert f"protocol {protocol}" in said
    assert "weights" in said
    assert "not installed" in said
    assert not (out / "report.md").exists()


def test_a_setup_of_another_protocol_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["phantom", "--protocol", "cervical", "--setup", "setup_lumbar", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "expected --protocol lumbar, got cervical" in capsys.readouterr().err
    assert main(["phantom", "--setup", "setup_knee", "--out", str(tmp_path)]) == 2
    assert "expected one of" in capsys.readouterr().err
    assert not list(tmp_path.glob("phantom_*"))
