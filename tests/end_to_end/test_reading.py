"""Whole readings through the command line with the shipped weights: phantom study, pictures, bad input."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from anatomy import DISC_LEVELS, SCALES
from cli.main import main
from pipeline import evidence_of, sentences
from tests.built_phantoms import built_phantom
from tests.read_phantoms import ReadPhantom

pytestmark = pytest.mark.weights


def _read(*arguments: object) -> int:
    return main(["read", *(str(item) for item in arguments)])


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def phantom_folder(phantom_zip: Path) -> Path:
    return phantom_zip.parent


@pytest.fixture(scope="module")
def study_reading(phantoms: Callable[[str], ReadPhantom]) -> Path:
    """Return the folder of the phantom study's reading."""
    return phantoms("lumbar").reading


def test_a_study_becomes_all_promised_files(study_reading: Path) -> None:
    names = {file.name for file in study_reading.iterdir()}
    assert {"reading.json", "report.md", "overlay.png", "label_map.nii.gz"} <= names
    assert "Research use only" in (study_reading / "report.md").read_text(encoding="utf-8")


def test_every_positive_sentence_of_a_phantom_has_a_box_inside_its_image(study_reading: Path) -> None:
    document = _json(study_reading / "reading.json")
    shapes = {item["id"]: item["shape"] for item in document["study"]["series"]}
    abnormal = {
        row["id"]
        for row in document["grades"]
        if any(step.is_abnormal for step in SCALES[row["scale"]].steps if step.grade in row["prediction_set"])
    }
    boxed = 0
    for sentence in sentences(document):
        found = evidence_of(document, sentence)
        assert found.boxes or found.reason
        for box in found.boxes:
            columns, rows, slices = shapes[box.series_id]
            assert 0 <= box.box_px[0] < box.box_px[2] <= columns - 1
            assert 0 <= box.box_px[1] < box.box_px[3] <= rows - 1
            assert 0 <= box.slice_index < slices
        if abnormal & set(sentence.finding_ids):
            assert found.boxes, sentence.text
            boxed += 1
    assert boxed >= 5


def test_levels_are_the_phantoms_own(study_reading: Path, phantom_folder: Path) -> None:
    truth = {row["name"]: row for row in _json(phantom_folder / "truth.json")["levels"]}
    found = {row["name"]: row for row in _json(study_reading / "reading.json")["levels"]}
    assert len(found) == len(_json(study_reading / "reading.json")["levels"]), "a level name is repeated"
    lumbar = DISC_LEVELS[-5:]
    assert set(lumbar) <= set(found)
    for name in lumbar:
        distance = np.linalg.norm(np.subtract(found[name]["centre_mm"], truth[name]["centre_mm"]))
        assert distance < 12.0, f"{name} is {distance:.1f} mm off"


def test_the_label_map_lies_on_the_series_grid(study_reading: Path, phantom_folder: Path) -> None:
    label_map = nibabel.Nifti1Image.from_filename(study_reading / "label_map.nii.gz")
    reference = nibabel.Nifti1Image.from_filename(phantom_folder / "label_maps" / "sagittal_t2.nii.gz")
    assert label_map.shape == reference.shape
    np.testing.assert_allclose(label_map.affine, reference.affine, atol=1e-3)
    labels = np.asarray(label_map.dataobj)
    truth = np.asarray(reference.dataobj)
    both = np.count_nonzero((labels >= 201) & (truth >= 201) & (labels == truth))
    assert 2 * both / (np.count_nonzero(labels >= 201) + np.count_nonzero(truth >= 201)) > 0.5


def test_every_sentence_agrees_with_the_findings(study_reading: Path) -> None:
    reading = _json(study_reading / "reading.json")
    ids = {row["id"] for row in [*reading["grades"], *reading["measurements"]]}
    sentences = [item for section in reading["report"]["sections"] for item in section["sentences"]]
    assert sentences
    assert all(set(item["finding_ids"]) <= ids for item in sentences)
    assert {item["status"] for item in sentences} <= {"supported", "repaired"}
    assert reading["report"]["state"] == "draft"


def test_the_same_study_gives_the_same_bytes(study_reading: Path, phantom_zip: Path, tmp_path: Path) -> None:
    assert _read(phantom_zip, "--out", tmp_path) == 0
    for name in ("reading.json", "report.md", "overlay.png"):
        assert (tmp_path / name).read_bytes() == (study_reading / name).read_bytes(), name


@pytest.fixture(scope="module")
def slice_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the middle slice of the phantom as a picture: grey, stored as colour."""
    from imaging.phantom import phantom_picture

    picture = tmp_path_factory.mktemp("picture") / "study.png"
    grey = phantom_picture(built_phantom("lumbar"))
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(picture)
    return picture


def test_a_picture_without_spacing_has_no_millimetres(slice_picture: Path, tmp_path: Path) -> None:
    assert _read(slice_picture, "--out", tmp_path / "out") == 0
    reading = _json(tmp_path / "out" / "reading.json")
    in_mm = [row for row in reading["measurements"] if row["unit"] == "mm"]
    assert in_mm
    assert all(row["value"] is None and row["reason"] for row in in_mm)
    assert any("spacing" in row["reason"] for row in in_mm)
    stenosis = [row for row in reading["grades"] if row["condition"] == "spinal_canal_stenosis"]
    assert {row["scale"] for row in stenosis if row["status"] == "graded"} == {"rsna"}  # by its looks alone
    recesses = [row for row in reading["grades"] if row["condition"] == "subarticular_stenosis"]
    assert recesses
    assert {row["status"] for row in recesses} == {"not_assessable"}  # one sagittal slice shows none
    with Image.open(tmp_path / "out" / "label_map.png") as labels, Image.open(slice_picture) as picture:
        assert labels.size == picture.size
        assert labels.mode in {"L", "P"}


def _bad_inputs(folder: Path, phantom_zip: Path) -> dict[str, tuple[Path, int]]:
    """Return name -> (path, expected exit code)."""
    rng = np.random.default_rng(0)
    (folder / "empty").mkdir()
    (folder / "text.png").write_text("no picture", encoding="utf-8")
    Image.fromarray(np.zeros((400, 300), np.uint8)).save(folder / "black.png")
    Image.fromarray(rng.integers(0, 255, (400, 300), dtype=np.uint8)).save(folder / "noise.png")
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).resize((600, 800)).save(
        folder / "colour.png"
    )
    y, x = np.mgrid[0:512, 0:512]
    rings = 127 + 120 * np.sin(np.hypot(x - 256, y - 256) / 9)
    Image.fromarray(rings.astype(np.uint8)).save(folder / "rings.png")
    with zipfile.ZipFile(folder / "nothing.zip", "w") as archive:
        archive.writestr("readme.txt", "no DICOM here")
    with zipfile.ZipFile(phantom_zip) as archive:
        name = next(item for item in archive.namelist() if item.endswith(".dcm"))
        (folder / "cut.dcm").write_bytes(archive.read(name)[:2000])
    return {
        "empty": (folder / "empty", 2),
        "text": (folder / "text.png", 2),
        "colour": (folder / "colour.png", 2),
        "nothing": (folder / "nothing.zip", 2),
        "cut": (folder / "cut.dcm", 2),
        "missing": (folder / "missing.png", 2),
        "black": (folder / "black.png", 3),
        "noise": (folder / "noise.png", 3),
        "rings": (folder / "rings.png", 3),
    }


def test_bad_input_ends_in_one_clear_sentence(
    phantom_zip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cases = _bad_inputs(tmp_path, phantom_zip)
    code = _read(*(path for path, _ in cases.values()), "--out", tmp_path / "out")
    assert code == 2, "bad input outranks what is not eligible"
    told = capfd.readouterr()
    assert "Traceback" not in told.out + told.err
    for name, (path, expected) in cases.items():
        error = _json(tmp_path / "out" / path.stem / "error.json")
        assert error["exit_code"] == expected, (name, error)
        assert len(error["message"]) > 20, (name, error)
        assert not (tmp_path / "out" / path.stem / "report.md").exists()


def test_a_refused_study_is_read_on_a_persons_word(
    phantom_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from imaging import load_study

    series = load_study(phantom_folder / "study.zip").series_by_role("sagittal_t2")
    assert series is not None
    image = series.volume.slice_image(series.volume.shape[2] // 2)
    grey = 255 * np.clip(image / np.percentile(image, 99), 0, 1)
    mirrored = tmp_path / "mirrored.png"
    Image.fromarray(grey[:, ::-1].astype(np.uint8)).save(mirrored)
    assert _read(mirrored, "--out", tmp_path / "no") == 3
    refusal = _json(tmp_path / "no" / "error.json")
    assert refusal["code"] == "no_spine_found"
    assert "likeness to real spines p = " in refusal["message"]
    capfd.readouterr()
    assert _read(mirrored, "--override", "mirrored by the sender", "--out", tmp_path / "yes") == 0
    told = capfd.readouterr().err
    assert "read although not eligible (no_spine_found)" in told
    assert "mirrored by the sender" not in told
    block = _json(tmp_path / "yes" / "reading.json")["eligibility"]
    assert block["eligible"] is False
    assert block["overridden"] == {"reason": "mirrored by the sender", "codes": ["no_spine_found"]}
    assert block["ood"]["p_value"] < block["ood"]["threshold"]
    assert "Read although not eligible" in (tmp_path / "yes" / "report.md").read_text(encoding="utf-8")
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(tmp_path / "black.png")
    assert _read(tmp_path / "black.png", "--override", "please", "--out", tmp_path / "black") == 3
    assert _read(mirrored, "--override", " ", "--out", tmp_path / "empty") == 2


def test_a_bad_input_does_not_stop_the_others(slice_picture: Path, tmp_path: Path) -> None:
    (tmp_path / "study.png").write_text("no picture", encoding="utf-8")
    assert _read(tmp_path / "study.png", slice_picture, "--out", tmp_path / "out") == 2
    assert (tmp_path / "out" / "study" / "error.json").is_file()
    assert (tmp_path / "out" / "study-2" / "reading.json").is_file()


@pytest.mark.data
@pytest.mark.parametrize("name", ["4_t2.png", "4_t1.png"])
def test_a_real_slice_is_read(name: str, data_dir: Path, tmp_path: Path) -> None:
    picture = data_dir / "spider" / "midsagittal" / name
    assert _read(picture, "--spacing", "0.625", "--out", tmp_path) == 0
    levels = [row["name"] for row in _json(tmp_path / "reading.json")["levels"]]
    assert set(DISC_LEVELS[-5:]) <= set(levels)
    assert levels == sorted(levels, key=DISC_LEVELS.index)
    with Image.open(picture) as source, Image.open(tmp_path / "label_map.png") as labels:
        assert labels.size == source.size


@pytest.mark.data
def test_a_real_volume_is_read_on_its_own_grid(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "nifti" / "sct_tutorial" / "t2_lumbar.nii.gz"
    assert _read(source, "--out", tmp_path) == 0
    label_map = nibabel.Nifti1Image.from_filename(tmp_path / "label_map.nii.gz")
    volume = nibabel.Nifti1Image.from_filename(source)
    assert label_map.shape == volume.shape
    np.testing.assert_allclose(label_map.affine, volume.affine, atol=1e-4)
