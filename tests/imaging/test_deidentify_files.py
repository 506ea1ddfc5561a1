"""De-identified studies as files: names, UIDs, reports, outside judges, what is refused and what is left out."""

import json
import shutil
import subprocess
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from imaging import load_study
from imaging.dicom.deidentify import DeidentifyOptions, deidentify_path
from runtime.errors import ConfigError, NotEligibleError, StudyError
from tests.imaging.conftest import SeriesWriter
from tests.imaging.deidentify_cases import (
    BIRTH,
    CANARY_UID,
    STUDY,
    all_bytes,
    mr_image,
    outputs,
    write_study,
    written,
)
from tests.imaging.test_dicom_enhanced import plain_frames, write_enhanced

SECRET = b"0123456789abcdef-secret"


def run(folder: Path, out: Path, **options: object) -> list[Dataset]:
    deidentify_path(folder, out, options=DeidentifyOptions(secret=SECRET, **options))  # type: ignore[arg-type]
    return outputs(out)


class TestFiles:
    @pytest.fixture
    def study(self, tmp_path: Path) -> Path:
        """Return a study of two series whose second refers to the first."""
        images = [mr_image(number) for number in (1, 2, 3)]
        for number in (1, 2):
            image = mr_image(number, series="2")
            reference = Dataset()
            reference.ReferencedSOPClassUID = image.SOPClassUID
            reference.ReferencedSOPInstanceUID = images[0].SOPInstanceUID
            image.ReferencedImageSequence = Sequence([reference])
            images.append(image)
        return write_study(tmp_path / "CANARY^HANS", images)

    def test_nothing_of_the_original_is_in_names_or_bytes(self, study: Path, tmp_path: Path) -> None:
        run(study, tmp_path / "out")
        content = all_bytes(tmp_path / "out")
        for secret in ("canary", CANARY_UID, BIRTH, "4711"):
            assert secret.encode() not in content
        assert (tmp_path / "out/study-01/series-001/image-0001.dcm").read_bytes()[:128] == b"\0" * 128

    def test_uids_are_one_to_one_and_references_hold(self, study: Path, tmp_path: Path) -> None:
        cleaned = run(study, tmp_path / "out")
        assert len({ds.SOPInstanceUID for ds in cleaned}) == 5
        assert len({ds.SeriesInstanceUID for ds in cleaned}) == 2
        assert len({ds.StudyInstanceUID for ds in cleaned}) == 1
        assert len({ds.FrameOfReferenceUID for ds in cleaned}) == 1
        referring = [ds for ds in cleaned if "ReferencedImageSequence" in ds]
        assert len(referring) == 2
        named = {ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID for ds in referring}
        assert named == {
            ds.SOPInstanceUID for ds in cleaned if "ReferencedImageSequence" not in ds and ds.InstanceNumber == 1
        }
        assert all(ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID for ds in cleaned)
        assert "SourceApplicationEntityTitle" not in cleaned[0].file_meta
        assert "PrivateInformation" not in cleaned[0].file_meta

    def test_the_secret_decides(self, study: Path, tmp_path: Path) -> None:
        once, again = run(study, tmp_path / "a"), run(study, tmp_path / "b")
        assert [ds.to_json() for ds in once] == [ds.to_json() for ds in again]
        deidentify_path(study, tmp_path / "c")
        deidentify_path(study, tmp_path / "d")
        fresh = {outputs(tmp_path / name)[0].StudyInstanceUID for name in ("a", "c", "d")}
        assert len(fresh) == 3
        assert SECRET.lower() not in all_bytes(tmp_path / "a")

    def test_one_shift_for_all_studies_of_a_patient(self, tmp_path: Path) -> None:
        later = mr_image(study="2")
        later.StudyDate = "20190917"
        folder = write_study(tmp_path / "in", [mr_image(), later])
        first, second = sorted(ds.StudyDate for ds in run(folder, tmp_path / "out"))
        assert datetime.strptime(second, "%Y%m%d") - datetime.strptime(first, "%Y%m%d") == timedelta(days=31)
        assert len({ds.PatientID for ds in outputs(tmp_path / "out")}) == 1

    def test_method_is_told(self, study: Path, tmp_path: Path) -> None:
        ds = run(study, tmp_path / "out")[0]
        assert ds.PatientIdentityRemoved == "YES"
        assert ds.LongitudinalTemporalInformationModified == "MODIFIED"
        codes = [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]
        assert codes == ["113100", "113105", "113107", "113108"]
        assert len(ds.DeidentificationMethod) <= 64

    def test_characteristics_go_when_asked(self, study: Path, tmp_path: Path) -> None:
        ds = run(study, tmp_path / "out", keep_characteristics=False)[0]
        assert ds.PatientSex == ""
        assert "PatientAge" not in ds
        assert "PatientWeight" not in ds
        assert [item.CodeValue for item in ds.DeidentificationMethodCodeSequence] == ["113100", "113105", "113107"]

    def test_zip_and_single_file(self, study: Path, tmp_path: Path) -> None:
        archive = tmp_path / "CANARY.zip"
        with zipfile.ZipFile(archive, "w") as stream:
            for file in study.iterdir():
                stream.write(file, f"CANARY/{file.name}")
        assert len(run(archive, tmp_path / "zip")) == 5
        assert len(run(next(study.iterdir()), tmp_path / "one")) == 1

    def test_compressed_pixels_stay_compressed(self, tmp_path: Path) -> None:
        ds = mr_image()
        written(ds)
        ds.compress(RLELossless)
        folder = tmp_path / "in"
        folder.mkdir()
        ds.save_as(folder / "a.dcm", enforce_file_format=True)
        (cleaned,) = run(folder, tmp_path / "out")
        assert cleaned.file_meta.TransferSyntaxUID == RLELossless
        assert cleaned.PixelData == pydicom.dcmread(folder / "a.dcm").PixelData
        assert np.array_equal(cleaned.pixel_array, mr_image_pixels())

    def test_report_says_what_was_done_without_values(self, study: Path, tmp_path: Path) -> None:
        run(study, tmp_path / "out")
        content = json.loads((tmp_path / "out/deidentification.json").read_text(encoding="utf-8"))
        assert content["schema"] == "spinescribe.deidentification/1"
        assert content["files"] == {
            "input": 5, "written": 5, "with_warnings": 0, "left_out": 0, "bad": 0, "studies": 1,
        }  # fmt: skip
        rows = {(row["name"], row["action"]): row["count"] for row in content["tags"]}
        assert rows["StudyInstanceUID", "UID remapped"] == 5
        assert rows["PatientName", "replaced by a pseudonym"] == 5
        assert rows["InstitutionAddress", "removed"] == 5
        assert rows["StudyDate", "date and time shifted"] == 5
        assert "study-01" not in json.dumps(content["tags"])
        assert "# De-identification" in (tmp_path / "out/deidentification.md").read_text(encoding="utf-8")


def mr_image_pixels() -> np.ndarray:
    return np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)


class TestReading:
    def test_reads_the_same_before_and_after(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        images = [
            mr_image(number, pixels=rng.integers(0, 4000, (40, 50)).astype(np.uint16)) for number in range(1, 6)
        ]
        folder = write_study(tmp_path / "in", images)
        run(folder, tmp_path / "out")
        before, after = load_study(folder), load_study(tmp_path / "out")
        assert before.key == after.key
        assert (before.sex, before.age_years, before.protocol) == (after.sex, after.age_years, after.protocol)
        assert len(before.series) == len(after.series) == 1
        one, two = before.series[0], after.series[0]
        assert (
            (one.role, one.plane, one.sequence)
            == (two.role, two.plane, two.sequence)
            == ("sagittal_t2", "sagittal", "t2")
        )
        assert np.array_equal(one.volume.array, two.volume.array)
        assert one.volume.affine is not None
        assert two.volume.affine is not None
        assert np.array_equal(one.volume.affine, two.volume.affine)
        assert one.header == two.header


class TestOutsideJudges:
    @pytest.mark.parametrize("program", ["dciodvfy", "dcmdump"])
    def test_valid_as_before(self, program: str, tmp_path: Path) -> None:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (tests/system_packages.sh)")
        folder = write_study(tmp_path / "in", [mr_image()])
        run(folder, tmp_path / "out")
        (cleaned,) = (tmp_path / "out").rglob("*.dcm")
        before, after = (_complaints(program, file) for file in (next(folder.iterdir()), cleaned))
        assert after <= before


def _complaints(program: str, file: Path) -> set[str]:
    done = subprocess.run([program, str(file)], capture_output=True, text=True, check=False, timeout=60)
    assert program != "dcmdump" or done.returncode == 0
    return {line for line in (done.stderr + done.stdout).splitlines() if line.startswith(("Error", "E:"))}


class TestRefusals:
    def test_output_folder_in_use(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path / "in", [mr_image()])
        (tmp_path / "out").mkdir()
        (tmp_path / "out/a").touch()
        with pytest.raises(ConfigError, match="new or empty folder"):
            run(folder, tmp_path / "out")
        with pytest.raises(ConfigError, match="outside the input"):
            run(folder, folder / "out")

    def test_short_secret(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="at least 16 bytes, got 5"):
            deidentify_path(tmp_path, tmp_path / "out", options=DeidentifyOptions(secret=b"short"))

    def test_two_patients_in_one_study(self, tmp_path: Path) -> None:
        other = mr_image(2)
        other.PatientID = "CANARY-2"
        folder = write_study(tmp_path / "in", [mr_image(1), other])
        with pytest.raises(StudyError, match="found 2 patient numbers") as raised:
            run(folder, tmp_path / "out")
        assert "CANARY" not in str(raised.value)

    def test_no_dicom(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/CANARY.txt").write_text("CANARY", encoding="utf-8")
        with pytest.raises(StudyError, match="expected DICOM images") as raised:
            run(tmp_path / "in", tmp_path / "out")
        assert "CANARY" not in str(raised.value)

    def test_documents_are_left_out_by_rule(self, tmp_path: Path) -> None:
        report = mr_image()
        report.SOPClassUID = pydicom.uid.BasicTextSRStorage
        for name in ("Rows", "Columns", "PixelData"):
            delattr(report, name)
        folder = write_study(tmp_path / "in", [report])
        with pytest.raises(NotEligibleError, match="structured reports are free text"):
            run(folder, tmp_path / "out")

    def test_bad_files_are_listed_and_the_others_written(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path / "in", [mr_image(1), mr_image(2), mr_image(3)])
        file = folder / "CANARY 02.dcm"
        file.write_bytes(file.read_bytes()[:600])
        (folder / "CANARY notes.txt").write_text("CANARY", encoding="utf-8")
        report = deidentify_path(folder, tmp_path / "out")
        assert [outcome.index for outcome in report.bad] == [2]
        assert report.exit_code == 2
        assert len(report.written) == 2
        listed = json.loads((tmp_path / "out/deidentification.json").read_text(encoding="utf-8"))["not_written"]
        assert [(item["input_number"], item["bad"]) for item in listed] == [(2, True), (4, False)]
        assert b"canary" not in all_bytes(tmp_path / "out")


# Images that pydicom carries, from several makers, modalities and compressions.
CARRIED = [
    "MR_small.dcm", "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm", "JPEG2000.dcm", "examples_palette.dcm", "examples_rgb_color.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", CARRIED)
def test_files_of_other_makers(name: str, tmp_path: Path) -> None:
    file = get_testdata_file(name, download=False)
    if file is None:
        pytest.skip(f"this pydicom does not carry {name}")
    original = pydicom.dcmread(file)
    (cleaned,) = run(Path(file), tmp_path / "out")
    assert cleaned.PixelData == original.PixelData
    assert cleaned.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert cleaned.SOPInstanceUID.startswith("2.25.")
    assert str(original.PatientName) not in str(cleaned)
    for keyword in ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "RescaleSlope", "EchoTime"):
        assert cleaned.get(keyword) == original.get(keyword)
    if shutil.which("dciodvfy"):
        (written_file,) = (tmp_path / "out").rglob("*.dcm")
        new = _complaints("dciodvfy", written_file) - _complaints("dciodvfy", Path(file))
        assert not new


def test_an_enhanced_object_reads_the_same(
    series_writer: SeriesWriter, smooth_volume: NDArray[np.uint16], tmp_path: Path
) -> None:
    def plant(dataset: Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            frame.FrameContentSequence[0].FrameComments = "Canary"
            frame.FrameContentSequence[0].FrameAcquisitionDateTime = f"{STUDY}101112.5"
        dataset.SoftwareVersions = "Canary"

    file = write_enhanced(series_writer, plain_frames(smooth_volume, [3, 0, 4, 1, 2]), change=plant)
    (cleaned,) = run(file, tmp_path / "out")
    before, after = load_study(file).series[0], load_study(tmp_path / "out").series[0]
    assert np.array_equal(before.volume.array, after.volume.array)
    assert np.array_equal(before.volume.affine, after.volume.affine)  # type: ignore[arg-type]
    assert (before.role, before.sequence, before.frame_numbers) == (
        after.role,
        after.sequence,
        after.frame_numbers,
    )
    content = all_bytes(tmp_path / "out")
    assert b"canary" not in content
    assert b"secret-1" not in content  # the writer's patient number and name
    assert b"secret^name" not in content
    moved = {
        item.FrameContentSequence[0].FrameAcquisitionDateTime for item in cleaned.PerFrameFunctionalGroupsSequence
    }
    assert len(moved) == 1
    assert STUDY not in moved.pop()
    assert cleaned.SoftwareVersions == "REMOVED"  # type 1 in enhanced objects
