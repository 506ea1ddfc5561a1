"""``spinescribe import-labels`` and ``read --labels``: files, exit codes, what is said; the page is current."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from anatomy.conventions import conventions
from cli.main import main
from imaging.label_import import to_their_labels
from imaging.label_table import SCHEMA
from tests.imaging.label_factories import SAGITTAL_AFFINE, drawn_spine, write_nifti
from tests.pipeline.fakes import fake_reader

ROOT = Path(__file__).parents[2]


def their_file(folder: Path, name: str) -> Path:
    theirs, _ = to_their_labels(drawn_spine(), conventions()[name])
    return write_nifti(folder / "theirs.nii.gz", theirs.astype(np.int16))


def test_labels_are_written_in_our_numbers_with_the_grid_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = their_file(tmp_path, "totalspineseg:step2")
    assert main(["import-labels", str(file), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("theirs.nii.gz: totalspineseg:step2, 17 labels mapped, 0 marks, 0 left out, 0 unknown")
    written = nib.load(tmp_path / "out" / "label_map.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), drawn_spine())
    np.testing.assert_allclose(written.affine, SAGITTAL_AFFINE)
    table = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    assert table["schema"] == SCHEMA
    assert table["convention"]["name"] == "totalspineseg:step2"
    assert len(table["labels"]) == 17
    assert sum(row["voxels"] for row in table["labels"]) == int((drawn_spine() > 0).sum())
    assert "theirs" not in json.dumps({key: table[key] for key in ("file", "notices")})


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--convention", "nnunet"], 2, "label convention: expected auto or one of spider"),
        (
            ["--convention", "totalsegmentator:vertebrae_mr"],
            2,
            "as totalsegmentator:vertebrae_mr numbers them, found",
        ),
        (["--convention", "sct:discs"], 2, "found"),
    ],
)
def test_wrong_conventions_end_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    file = their_file(tmp_path, "totalspineseg:step2")
    assert main(["import-labels", str(file), "--out", str(tmp_path / "out"), *words]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "label_map.nii.gz").exists()


def test_a_missing_file_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-labels", str(tmp_path / "none.nii"), "--out", str(tmp_path / "out")]) == 2
    assert "none.nii: expected a label map" in capsys.readouterr().err


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.read.open_reader", lambda *_: fake_reader())


@pytest.mark.usefixtures("stages")
def test_both_doors_lead_to_one_reading(tmp_path: Path) -> None:
    file = their_file(tmp_path, "spider")
    first, second = tmp_path / "a", tmp_path / "b"
    assert (
        main(["read", "scan.png", "--labels", str(file), "--label-convention", "spider", "--out", str(first)]) == 0
    )
    words = ["import-labels", str(file), "--convention", "spider", "--image", "scan.png", "--out", str(second)]
    assert main(words) == 0
    names = {"reading.json", "report.md", "overlay.png", "label_map.png", "labels.json"}
    assert {item.name for item in first.iterdir()} == {item.name for item in second.iterdir()} == names
    for name in ("reading.json", "labels.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    reading = json.loads((first / "reading.json").read_text(encoding="utf-8"))
    table = json.loads((first / "labels.json").read_text(encoding="utf-8"))
    assert reading["provenance"]["weights"]["imported-labels"] == table["file"]["sha256"]
    plain = tmp_path / "c"
    assert main(["read", "scan.png", "--out", str(plain)]) == 0
    other = json.loads((plain / "reading.json").read_text(encoding="utf-8"))
    assert "imported-labels" not in other["provenance"]["weights"]
    assert other["provenance"]["config_hash"] != reading["provenance"]["config_hash"]


@pytest.mark.usefixtures("stages")
def test_labels_belong_to_one_study_and_leave_no_place_for_an_anchor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = their_file(tmp_path, "spider")
    out = ["--out", str(tmp_path / "out")]
    assert main(["read", "a.png", "b.png", "--labels", str(file), *out]) == 2
    assert "--labels: expected one path" in capsys.readouterr().err
    assert main(["read", "a.png", "--labels", str(file), "--anchor", "L4-L5=1,2", *out]) == 2
    assert "expected either an anchor or labels, got both" in capsys.readouterr().err


def test_the_page_of_conventions_is_current() -> None:
    page = ROOT / "docs" / "label-conventions.md"
    code = (
        "import importlib.util as u; s = u.spec_from_file_location('m', 'docs/make_label_conventions.py');"
        "m = u.module_from_spec(s); s.loader.exec_module(m); print(m.label_conventions_page(), end='')"
    )
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert made.stdout == page.read_text(encoding="utf-8"), "run python docs/make_label_conventions.py"
