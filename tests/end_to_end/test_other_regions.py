"""From the command line: phantoms of neck and sacroiliac joints are written, refused without weights, and read."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from anatomy import DISC_LEVELS, SIJ, load_protocol
from cli.main import main
from tests.built_phantoms import built_phantom
from tests.read_phantoms import ReadPhantom

WEIGHTS = "segmentation-regions"


@pytest.fixture(autouse=True)
def _built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command write phantoms that other tests have built already."""
    monkeypatch.setattr(
        "imaging.phantom.build_phantom", lambda protocol, *, seed, setup: built_phantom(protocol, seed, setup)
    )


def write_phantom(protocol: str, folder: Path) -> Path:
    assert main(["phantom", "--protocol", protocol, "--seed", "7", "--out", str(folder)]) == 0
    return folder / "phantom_0007"


@pytest.mark.parametrize("protocol", ["cervical", "sacroiliac"])
def test_without_weights_for_its_region_a_study_is_refused_by_name(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_phantom(protocol, tmp_path)
    assert {file.name for file in folder.iterdir()} >= {"study.zip", "truth.json", "reference_report.md", "dicom"}
    assert json.loads((folder / "truth.json").read_text(encoding="utf-8"))["protocol"] == protocol
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("SPINESCRIBE_WEIGHTS", str(tmp_path / "weights"))
    out = tmp_path / "out"
    assert main(["read", str(folder / "study.zip"), "--out", str(out)]) == 3  # the region is found by itself
    said = capsys.readouterr().err
    assert f"protocol {protocol}" in said
    assert WEIGHTS in said
    assert "not installed" in said
    assert not (out / "report.md").exists()


@pytest.mark.weights
@pytest.mark.parametrize(
    ("protocol", "scale", "alert"),
    [("cervical", "kang", "To be looked at first"), ("sacroiliac", "as_stage", None)],
)
def test_a_study_of_another_region_is_graded_and_says_what_taught_it(
    protocol: str, scale: str, alert: str | None, phantoms: Callable[[str], ReadPhantom]
) -> None:
    folder, out = phantoms(protocol).study.parent, phantoms(protocol).reading
    document = json.loads((out / "reading.json").read_text(encoding="utf-8"))
    assert document["study"]["protocol"] == protocol
    names = [level["name"] for level in document["levels"]]
    assert set(names) <= set(load_protocol(protocol).levels)
    assert names == ([SIJ] if protocol == "sacroiliac" else [name for name in DISC_LEVELS if name in names])
    graded = [grade for grade in document["grades"] if grade["status"] == "graded"]
    assert scale in {grade["scale"] for grade in graded}
    assert {grade["level"] for grade in graded} >= set(names)
    assert any(item["value"] is not None for item in document["measurements"])
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "learned from synthetic images only and needs a radiologist's eye" in report
    assert "repaired" not in report
    ids = {row["id"] for row in [*document["grades"], *document["measurements"]]}
    written = [item for section in document["report"]["sections"] for item in section["sentences"]]
    assert written
    assert all(set(item["finding_ids"]) <= ids for item in written)
    assert {item["status"] for item in written} <= {"supported", "repaired"}
    is_compressed = any(
        grade["condition"] == "cord_compression" and grade["grade"] == "present" for grade in graded
    )
    assert (alert is not None and alert in report) == is_compressed
    for item in document["label_maps"]:
        role = next(row["role"] for row in document["study"]["series"] if row["id"] == item["series"])
        found = nib.as_closest_canonical(nib.load(out / item["file"]))
        truth = nib.as_closest_canonical(nib.load(folder / "label_maps" / f"{role}.nii.gz"))
        assert found.shape == truth.shape
        np.testing.assert_allclose(found.affine, truth.affine, atol=0.05)


def test_a_setup_of_another_protocol_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["phantom", "--protocol", "cervical", "--setup", "setup_lumbar", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "expected --protocol lumbar, got cervical" in capsys.readouterr().err
    assert main(["phantom", "--setup", "setup_knee", "--out", str(tmp_path)]) == 2
    assert "expected one of" in capsys.readouterr().err
    assert not list(tmp_path.glob("phantom_*"))
