"""Phantom studies through the disk: valid DICOM with the geometry that SimpleITK and dcmtk read."""

import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK

from imaging.dicom.write import SeriesHeader, StudyHeader, stable_uid, write_mr_series
from imaging.phantom import Phantom, write_phantom_study
from runtime.errors import StudyError
from tests.built_phantoms import built_phantom

STUDY = StudyHeader("test/1", "PHANTOM-1", "F", 41, "test", "LSPINE", "20260101")
SERIES = SeriesHeader(3, "T2", 3500, 110, 150, 17, 1.5, 4.0, 4.4)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return built_phantom("lumbar")


@pytest.fixture(scope="module")
def folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("study") / phantom.name
    write_phantom_study(phantom, target)
    return target


def oblique_affine() -> np.ndarray:
    angle = 0.4
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[-1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]]) @ np.diag([0.6, 0.8, 4.4])
    affine[:3, 3] = [81.25, -3.7, 912.125]
    return affine


def read_affine_ras(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels (I, J, K) and the affine in RAS+ mm, as SimpleITK understands the files."""
    image = SimpleITK.ReadImage([str(file) for file in files])
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def test_simpleitk_reads_the_same_voxels_and_affine_back_from_an_oblique_series(tmp_path: Path) -> None:
    array = np.arange(5 * 7 * 4, dtype=np.float32).reshape(5, 7, 4)
    files = write_mr_series(array, oblique_affine(), study=STUDY, series=SERIES, folder=tmp_path)
    voxels, affine = read_affine_ras(list(files))
    assert np.array_equal(voxels, array)
    assert np.abs(affine - oblique_affine()).max() < 1e-3


@pytest.mark.parametrize("role", ["sagittal_t1", "sagittal_t2", "axial_t2"])
def test_simpleitk_reads_every_phantom_series(phantom: Phantom, folder: Path, role: str) -> None:
    series = phantom.series_by_role(role)
    voxels, affine = read_affine_ras(sorted((folder / "dicom" / role).glob("*.dcm")))
    assert np.array_equal(voxels, series.array)
    corner = np.array([*(np.array(series.array.shape) - 1), 1.0])
    assert np.abs(affine @ corner - series.affine @ corner).max() < 1e-3


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("role", ["sagittal_t1", "axial_t2"])
def test_dciodvfy_finds_no_error(folder: Path, role: str) -> None:
    for file in sorted((folder / "dicom" / role).glob("*.dcm"))[::7]:
        result = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        text = result.stdout + result.stderr
        assert "MRImage" in text
        assert "Error" not in text, text


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmdump (dcmtk) is not installed")
def test_dcmdump_reads_the_series(folder: Path) -> None:
    file = folder / "dicom" / "sagittal_t2" / "IM0001.dcm"
    result = subprocess.run(
        ["dcmdump", "+P", "PixelSpacing", "+P", "EchoTime", str(file)], capture_output=True, text=True, check=True
    )
    assert r"0.73\0.73" in result.stdout
    assert "[110" in result.stdout


@pytest.mark.parametrize("phase", ["i", "j"])
def test_headers_are_true_to_the_sequence(tmp_path: Path, phase: str) -> None:
    stir = replace(
        SERIES,
        echo_train_length=11,
        inversion_time_ms=200.0,
        pixel_bandwidth_hz=190.0,
        phase_axis=phase,
        phase_share=0.75,
    )
    array = np.zeros((24, 32, 2), np.float32)
    file = write_mr_series(array, np.eye(4), study=STUDY, series=stir, folder=tmp_path)[0]
    header = pydicom.dcmread(file, stop_before_pixels=True)
    assert list(header.ScanningSequence) == ["SE", "IR"]
    assert list(header.SequenceVariant) == ["SK", "MP"]
    assert (header.InversionTime, header.PixelBandwidth, header.EchoTrainLength) == (200, 190, 11)
    assert header.ImagingFrequency == pytest.approx(63.866, abs=1e-3)
    steps = 18 if phase == "i" else 24  # three quarters of 24 columns or 32 rows
    assert header.InPlanePhaseEncodingDirection == {"i": "ROW", "j": "COL"}[phase]
    assert list(header.AcquisitionMatrix) == {"i": [32, 0, 0, steps], "j": [0, 24, steps, 0]}[phase]
    assert (header.NumberOfPhaseEncodingSteps, header.PercentSampling) == (steps, 75)


def test_plain_spin_echo_has_no_inversion_and_no_train(tmp_path: Path) -> None:
    plain = replace(SERIES, echo_train_length=1)
    file = write_mr_series(np.zeros((4, 4, 2), np.float32), np.eye(4), study=STUDY, series=plain, folder=tmp_path)[
        0
    ]
    header = pydicom.dcmread(file, stop_before_pixels=True)
    assert header.ScanningSequence == "SE"
    assert header.SequenceVariant == "NONE"
    assert "InversionTime" not in header
    assert "InPlanePhaseEncodingDirection" not in header  # unknown is left away


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("part", ["LSPINE", "CSPINE", "PELVIS"])
def test_dciodvfy_finds_no_error_in_a_stir_of_any_region(tmp_path: Path, part: str) -> None:
    stir = replace(SERIES, inversion_time_ms=200.0, pixel_bandwidth_hz=190.0, phase_axis="j", phase_share=0.8)
    study = replace(STUDY, body_part=part)
    file = write_mr_series(
        np.ones((24, 32, 2), np.float32), oblique_affine(), study=study, series=stir, folder=tmp_path
    )[0]
    result = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
    text = result.stdout + result.stderr
    assert "MRImage" in text
    assert "Error" not in text, text


def test_instances_share_a_study_and_frame_but_no_instance_uid(folder: Path) -> None:
    files = sorted((folder / "dicom").rglob("*.dcm"))
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    assert len({header.StudyInstanceUID for header in headers}) == 1
    assert len({header.FrameOfReferenceUID for header in headers}) == 1
    assert len({header.SeriesInstanceUID for header in headers}) == 3
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    assert {header.PatientID for header in headers} == {"PHANTOM-7"}
    assert {header.PatientBirthDate for header in headers} == {""}


def test_zip_holds_the_same_files(folder: Path) -> None:
    with zipfile.ZipFile(folder / "study.zip") as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert archive.read(name) == (folder / name).read_bytes()
        assert len(archive.namelist()) == len(list((folder / "dicom").rglob("*.dcm")))


def test_label_maps_lie_on_the_grid_of_their_series(phantom: Phantom, folder: Path) -> None:
    for series in phantom.series:
        image = nib.load(folder / "label_maps" / f"{series.role}.nii.gz")
        assert np.array_equal(np.asarray(image.dataobj), series.label_array)
        assert np.abs(image.affine - series.affine).max() < 1e-3


def test_truth_json_is_the_truth(phantom: Phantom, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert truth == phantom.truth()
    assert truth["schema"] == "spinescribe.phantom/1"
    assert truth["seed"] == 7
    assert [level["name"] for level in truth["levels"]][-1] == "L5-S1"


def test_the_reference_report_says_what_the_truth_says(phantom: Phantom, folder: Path) -> None:
    text = (folder / "reference_report.md").read_text(encoding="utf-8")
    for level in phantom.levels:
        line = next(line for line in text.splitlines() if line.startswith(f"{level.name}:"))
        for grade in (item for item in phantom.grades if item.level == level.name):
            if grade.condition.value == "modic" and grade.grade != "0":
                assert f"Modic type {grade.grade}" in line
            if grade.condition.value == "neural_foraminal_narrowing":
                said = f"{grade.side} neural foraminal narrowing" in line
                assert said is (grade.grade != "normal_mild")
            if grade.condition.value == "spinal_canal_stenosis" and grade.grade != "normal_mild":
                assert f"{grade.grade.capitalize()} spinal canal stenosis" in line
    assert "{" not in text


def test_writing_twice_gives_the_same_bytes(phantom: Phantom, folder: Path, tmp_path: Path) -> None:
    write_phantom_study(phantom, tmp_path)
    for file in ("study.zip", "truth.json", "reference_report.md", "dicom/axial_t2/IM0003.dcm"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_uids_depend_on_the_texts_only() -> None:
    assert stable_uid("a", "1") == stable_uid("a", "1") != stable_uid("a", "2")
    assert stable_uid("a").is_valid


def test_a_slanted_grid_is_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.3
    with pytest.raises(StudyError, match="axes at right angles"):
        write_mr_series(np.zeros((4, 4, 2), np.float32), affine, study=STUDY, series=SERIES, folder=tmp_path)


def test_values_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for value in (-1.0, 70000.0, np.nan):
        with pytest.raises(StudyError, match="values from 0 to 65535"):
            write_mr_series(
                np.full((4, 4, 2), value, np.float32), np.eye(4), study=STUDY, series=SERIES, folder=tmp_path
            )


def test_a_flat_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="expected 3 axes"):
        write_mr_series(np.zeros((4, 4), np.float32), np.eye(4), study=STUDY, series=SERIES, folder=tmp_path)
