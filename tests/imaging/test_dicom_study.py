"""Whole studies as discs and archives bring them: DICOMDIR, several studies, copies, leftovers."""

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from imaging import load_study, load_study_isolated
from imaging.dicom import read_dicom
from imaging.types import Plane
from runtime.errors import StudyError
from tests.imaging.conftest import SeriesWriter, same_voxels

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T2: dict[str, Any] = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
T1: dict[str, Any] = {"EchoTime": 11.0, "RepetitionTime": 600.0}
Volume = NDArray[np.uint16]


def rewrite(file: Path, **values: Any) -> None:
    dataset = pydicom.dcmread(file)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(file)


def disc(files: list[Path], folder: Path) -> Path:
    """Write a disc with a DICOMDIR, as pydicom makes it."""
    file_set = FileSet()
    for file in files:
        file_set.add(file)
    file_set.write(folder)
    return folder / "DICOMDIR"


# DICOMDIR


@pytest.fixture
def dicomdir(series_writer: SeriesWriter, smooth_volume: Volume, tmp_path: Path) -> Path:
    files = series_writer.write(smooth_volume, StudyDate="20260101", StudyTime="120000", StudyID="1", **T2)
    return disc(files, tmp_path / "disc")


def test_a_dicomdir_is_followed_alone_in_its_folder_and_in_a_zip(
    dicomdir: Path, smooth_volume: Volume, tmp_path: Path
) -> None:
    archive = tmp_path / "disc.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for file in sorted(dicomdir.parent.rglob("*")):
            stream.write(file, f"CD/{file.relative_to(dicomdir.parent)}")
    for path in (dicomdir, dicomdir.parent, archive):
        study = load_study(path)
        assert same_voxels(study, smooth_volume)
        assert study.notices == ()


def test_files_that_a_dicomdir_does_not_name_are_read_only_with_the_folder(
    dicomdir: Path, series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    for file in series_writer.write(smooth_volume, number=2, **T1):
        shutil.copy(file, dicomdir.parent / file.name)
    assert len(load_study(dicomdir).series) == 1
    assert len(load_study(dicomdir.parent).series) == 2


def test_missing_files_are_told_and_lower_case_names_are_found(dicomdir: Path, smooth_volume: Volume) -> None:
    files = sorted(file for file in dicomdir.parent.rglob("*") if file.is_file() and file != dicomdir)
    files[-1].unlink()
    for file in files[:-1]:
        file.rename(file.with_name(file.name.lower() + ";1"))
    for path in (dicomdir, dicomdir.parent):
        study = load_study(path)
        assert study.series[0].volume.shape[2] == 4
        assert study.notices == ("The DICOMDIR names 1 files that are not there.",)
    for file in dicomdir.parent.rglob("*;1"):
        file.unlink()
    with pytest.raises(StudyError, match="the DICOMDIR names no file that is there"):
        load_study(dicomdir)


def test_a_dicomdir_that_disagrees_loses_to_the_files(dicomdir: Path, smooth_volume: Volume) -> None:
    raw = pydicom.dcmread(dicomdir)
    for record in raw.DirectoryRecordSequence:
        if record.DirectoryRecordType == "IMAGE":
            record.ReferencedSOPInstanceUIDInFile = generate_uid()
        if record.DirectoryRecordType == "PATIENT":
            record.PatientID = "SOMEBODY-ELSE"
    raw.save_as(dicomdir)
    study = load_study(dicomdir)
    assert same_voxels(study, smooth_volume)
    assert study.notices == ("The DICOMDIR disagrees with 5 files on what they hold; the files were believed.",)


@pytest.mark.parametrize(
    "escape", [["..", "SECRET"], ["", "SECRET"], ["SUB", "..", "..", "SECRET"], ["LINK", "SECRET"], ["LINK2"]]
)
def test_a_dicomdir_never_leads_out_of_its_folder(
    dicomdir: Path, series_writer: SeriesWriter, smooth_volume: Volume, escape: list[str]
) -> None:
    outside = dicomdir.parent.parent
    shutil.copy(series_writer.write(smooth_volume[:1], number=9, **T1)[0], outside / "SECRET")
    (dicomdir.parent / "LINK").symlink_to(outside)
    (dicomdir.parent / "LINK2").symlink_to(outside / "SECRET")
    (dicomdir.parent / "SUB").mkdir()
    raw = pydicom.dcmread(dicomdir)
    images = [record for record in raw.DirectoryRecordSequence if record.DirectoryRecordType == "IMAGE"]
    images[0].ReferencedFileID = escape
    raw.save_as(dicomdir)
    study = load_study(dicomdir)
    assert [series.header["echo_time_ms"] for series in study.series] == [100.0]
    assert study.notices == ("The DICOMDIR names 1 files that are not there.",)


def test_a_damaged_dicomdir_says_so(dicomdir: Path) -> None:
    dicomdir.write_bytes(dicomdir.read_bytes()[:700])
    with pytest.raises(StudyError, match="DICOMDIR"):
        load_study(dicomdir)


@pytest.mark.skipif(shutil.which("dcmmkdir") is None, reason="dcmtk is not installed")
def test_a_dicomdir_of_dcmtk_is_followed(
    series_writer: SeriesWriter, smooth_volume: Volume, tmp_path: Path
) -> None:
    files = series_writer.write(smooth_volume, StudyDate="20260101", StudyTime="12", StudyID="1", **T2)
    folder = tmp_path / "cd" / "IMAGES"
    folder.mkdir(parents=True)
    for n, file in enumerate(files):
        shutil.copy(file, folder / f"IM{n}")
    command = ["dcmmkdir", "+D", "DICOMDIR", "+r", "-W", "-Nxc", "IMAGES"]
    subprocess.run(command, cwd=folder.parent, check=True, capture_output=True)
    study = load_study(folder.parent / "DICOMDIR")
    assert same_voxels(study, smooth_volume)
    assert study.notices == ()


# Several studies


@pytest.fixture
def two_studies(series_writer: SeriesWriter, smooth_volume: Volume) -> Path:
    newer = {"StudyInstanceUID": generate_uid(), "StudyDate": "20260105"}
    series_writer.write(smooth_volume, number=1, **T2, **newer)
    series_writer.write(smooth_volume, number=2, orientation=AXIAL, **T2, **newer)
    series_writer.write(smooth_volume[:4] + 9, number=1, **T1, StudyDate="20250711")
    return series_writer.folder


def test_several_studies_are_offered_oldest_first_without_identity(two_studies: Path) -> None:
    with pytest.raises(StudyError, match="expected one study, found 2") as caught:
        load_study(two_studies)
    message = str(caught.value)
    assert caught.value.code == "several_studies"
    assert "1 (" in message
    assert "1 series: sagittal T1 (4 pictures); 2 (" in message
    assert "2 series: sagittal T2 (5 pictures), axial T2 (5 pictures)" in message
    assert "read --study N" in message
    assert not any(word in message for word in ("2025", "2026", "SECRET", "Secret"))


@pytest.mark.parametrize("load", [load_study, load_study_isolated])
def test_a_study_is_chosen_by_number_or_key(two_studies: Path, load: Any) -> None:
    with pytest.raises(StudyError) as caught:
        load(two_studies)
    keys = [part.split(")")[0] for part in str(caught.value).split(" (") if len(part.split(")")[0]) == 8]
    for asked, series in ((1, 1), ("2", 2), (keys[0], 1), (keys[1].upper(), 2)):
        study = load(two_studies, study=asked)
        assert len(study.series) == series
        assert f"Study {series} of the 2 that were found was read." in study.notices
    for wrong in (0, 3, "abc"):
        with pytest.raises(StudyError, match=r"expected one of its studies, got .* Choose one by its number"):
            load(two_studies, study=wrong)


def test_two_patients_are_never_mixed(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    series_writer.write(smooth_volume, number=1, **T2)
    series_writer.write(smooth_volume[:3], number=2, PatientID="OTHER-7", **T1)
    with pytest.raises(StudyError, match="found 2 patient numbers in one study") as caught:
        load_study(series_writer.folder)
    assert "patient A" in str(caught.value)
    assert "patient B" in str(caught.value)
    assert "OTHER-7" not in str(caught.value)
    shapes = [load_study(series_writer.folder, study=n).series[0].volume.shape[2] for n in (1, 2)]
    assert sorted(shapes) == [3, 5]


def test_a_picture_is_its_own_only_study(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.add.outer(np.arange(120), np.arange(100)).astype(np.uint8)).save(tmp_path / "a.png")
    assert load_study(tmp_path / "a.png", study=1).series
    with pytest.raises(StudyError, match="the file holds one"):
        load_study(tmp_path / "a.png", study=2)


# Copies and contradictions


def test_copies_are_dropped_and_contradictions_are_named(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    files = series_writer.write(smooth_volume, **T2)
    shutil.copy(files[0], series_writer.folder / "z_copy.dcm")
    shutil.copy(files[1], series_writer.folder / "z_resent.dcm")
    rewrite(series_writer.folder / "z_resent.dcm", InstitutionName="resent")  # other bytes, same image
    shutil.copy(files[2], series_writer.folder / "z_other.dcm")
    changed = pydicom.dcmread(files[2])
    changed.PixelData = (changed.pixel_array + 5).astype("<u2").tobytes()
    changed.save_as(series_writer.folder / "z_other.dcm")
    study = load_study(series_writer.folder)
    assert same_voxels(study, smooth_volume)
    assert study.notices == (
        "2 slices that came twice were dropped.",
        f"z_other.dcm has the identifier and place of {files[2].name} but other pixels: {files[2].name} was kept.",
    )


def test_one_identifier_for_all_images_loses_none(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    same = generate_uid()
    for number, timing in ((1, T2), (2, T1)):
        series_writer.write(smooth_volume + number, number=number, SOPInstanceUID=same, **timing)
        for n, file in enumerate(sorted(series_writer.folder.glob(f"s{number}_*"))):
            assert n < 5, file
    study = load_study(series_writer.folder)
    assert [series.volume.shape[2] for series in study.series] == [5, 5]
    assert study.notices == ("9 slices have the identifier of another slice elsewhere; all were kept.",)


# Leftovers


@pytest.mark.parametrize(
    ("image_type", "reason"),
    [
        (["DERIVED", "PRIMARY", "PROJECTION IMAGE"], "projection over many slices"),
        (["DERIVED", "SECONDARY", "MIP"], "projection over many slices"),
        (["DERIVED", "PRIMARY", "SUBTRACTION"], "difference of images"),
        (["ORIGINAL", "PRIMARY", "P", "ND"], "phase image"),
        (["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "computed map"),
        (["DERIVED", "SECONDARY", "SCREEN SAVE"], "screenshot"),
    ],
)
def test_images_that_no_scanner_measured_are_left_out_with_a_reason(
    series_writer: SeriesWriter, smooth_volume: Volume, image_type: list[str], reason: str
) -> None:
    series_writer.write(smooth_volume, number=1, **T2)
    series_writer.write(smooth_volume[:3], number=2, ImageType=image_type, **T2)
    study = load_study(series_writer.folder)
    assert (len(study.series), study.notices) == (1, (f"Left out: 3 x {reason}.",))


def test_reformatted_images_are_read_only_where_nothing_acquired_is(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    mpr = ["DERIVED", "PRIMARY", "MPR"]
    series_writer.write(smooth_volume, number=1, **T2)
    series_writer.write(smooth_volume, number=2, ImageType=mpr, **T2)
    series_writer.write(smooth_volume, number=3, orientation=AXIAL, ImageType=mpr, **T2)
    study = load_study(series_writer.folder)
    assert [s.plane for s in study.series] == [Plane.SAGITTAL, Plane.AXIAL]
    assert study.notices == (
        "Series number 2 is reformatted from another series and was left out; an acquired one of its plane is "
        "there.",
    )


def test_secondary_captures_of_an_mr_study_are_left_out(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    def capture(dataset: FileDataset, _: int) -> None:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"

    series_writer.write(smooth_volume, number=1, **T2)
    series_writer.write(smooth_volume[:1], number=2, change=capture, **T2)
    assert load_study(series_writer.folder).notices == ("Left out: 1 x screenshot.",)


def test_one_series_identifier_for_the_whole_study_is_no_localiser(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    uid = generate_uid()
    for number, orientation in ((1, None), (2, AXIAL), (3, CORONAL)):
        place = {} if orientation is None else {"orientation": orientation}
        series_writer.write(smooth_volume, number=number, series_uid=uid, **place, **T2)
    planes = [series.plane for series in load_study(series_writer.folder).series]
    assert planes == [Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL]


def test_pydicoms_validation_switch_stays_as_it_is(
    series_writer: SeriesWriter, smooth_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom import config

    changes: list[object] = []
    kind = type(config.settings)
    for name in ("reading_validation_mode", "writing_validation_mode"):
        setting = getattr(kind, name)
        monkeypatch.setattr(kind, name, property(setting.fget, lambda self, value: changes.append(value)))
    series_writer.write(smooth_volume, **T2)
    changes.clear()
    assert read_dicom(series_writer.folder).candidates
    assert changes == []


def test_a_series_of_too_many_orientations_is_left_out(
    series_writer: SeriesWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = np.random.default_rng(0).integers(0, 999, (25, 40, 40)).astype(np.uint16)

    def turn(dataset: FileDataset, k: int) -> None:
        axes = Rotation.from_euler("x", k * 1.0, degrees=True).apply(np.array(AXIAL).reshape(2, 3))
        dataset.ImageOrientationPatient = [float(x) for x in axes.ravel()]

    monkeypatch.setattr("imaging.dicom.stacks.MOST_BLOCKS", 20)
    series_writer.write(volume, change=turn, **T2)
    with pytest.raises(StudyError, match="Series number 1: holds more than 20 orientations or sizes"):
        load_study(series_writer.folder)


def test_discs_of_other_makers_are_offered_study_by_study() -> None:
    """pydicom ships a disc of three studies with its DICOMDIR in several encodings."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
    messages = set()
    for name in ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered", "DICOMDIR-nopatient"):
        with pytest.raises(StudyError, match="expected one study, found 3") as caught:
            load_study(folder / name)
        messages.add(str(caught.value).split(": ", 1)[1])
    assert len(messages) == 1
