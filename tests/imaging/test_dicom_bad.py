import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from imaging import load_study
from imaging.limits import Limits
from runtime.errors import LimitError, NotEligibleError, StudyError

T2 = {"EchoTime": 100.0, "RepetitionTime": 3500.0}


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5, 0.9, 0.999])
def test_cut_short_files_are_refused_alone_and_among_others(series_writer, smooth_volume, share: float) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, **T2)
    raw = files[2].read_bytes()
    files[2].write_bytes(raw[: int(len(raw) * share)])
    for path in (files[2], series_writer.folder):
        with pytest.raises(StudyError, match=f"{files[2].name}.*(cut short|damaged)"):
            load_study(path)


def test_every_cut_of_the_header_ends_in_one_clear_error(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    file = series_writer.write(smooth_volume[:1], **T2)[0]
    raw = file.read_bytes()
    header = len(raw) - smooth_volume[0].nbytes
    for length in range(133, header, 17):
        file.write_bytes(raw[:length])
        with pytest.raises((StudyError, NotEligibleError)):
            load_study(file)


def test_flipped_bytes_never_end_in_a_traceback(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    file = series_writer.write(smooth_volume[:1], **T2)[0]
    raw = file.read_bytes()
    header = len(raw) - smooth_volume[0].nbytes
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(raw)
        for position in random.integers(132, header, 4):
            damaged[position] = int(random.integers(256))
        file.write_bytes(damaged)
        try:
            load_study(file)
            outcomes.add("read")
        except (StudyError, NotEligibleError) as error:
            outcomes.add(file.name in str(error) or "says that" in str(error))
    assert outcomes == {"read", True}  # read in spite of it, or refused with the file named


def test_two_studies_and_two_patients_are_refused(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, number=1, **T2)
    series_writer.write(smooth_volume, number=2, PatientID="OTHER", **T2)
    with pytest.raises(StudyError, match="found 2 patient numbers in one study"):
        load_study(series_writer.folder)
    series_writer.write(smooth_volume, number=3, StudyInstanceUID=generate_uid(), **T2)
    with pytest.raises(StudyError, match="expected one study, found 3 of 2 patients") as caught:
        load_study(series_writer.folder)
    assert "OTHER" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_another_modality_is_not_eligible(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def ct(dataset: FileDataset, _: int) -> None:
        dataset.Modality = "CT"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"

    series_writer.write(smooth_volume, change=ct)
    with pytest.raises(NotEligibleError, match="expected MR images, found modality CT") as caught:
        load_study(series_writer.folder)
    assert caught.value.code == "wrong_modality"


def test_a_knee_is_not_eligible(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, BodyPartExamined="KNEE", **T2)
    with pytest.raises(NotEligibleError, match="not the spine"):
        load_study(series_writer.folder)


def test_no_usable_series_says_what_was_left_out(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def flat(dataset: FileDataset, k: int) -> None:
        del dataset.ImageOrientationPatient

    series_writer.write(smooth_volume, change=flat, **T2)
    with pytest.raises(StudyError, match=r"found none\. Left out: 5 x MR image without position"):
        load_study(series_writer.folder)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", [0.0, 0.7]),
        ("PixelSpacing", [0.7]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
    ],
)
def test_geometry_that_cannot_be_is_left_out(
    series_writer, smooth_volume, keyword: str, value: list[float]
) -> None:  # type: ignore[no-untyped-def]
    def spoil(dataset: FileDataset, _: int) -> None:
        setattr(dataset, keyword, value)

    series_writer.write(smooth_volume, change=spoil, **T2)
    with pytest.raises(StudyError, match="without position, orientation or pixel spacing"):
        load_study(series_writer.folder)


def test_a_spacing_out_of_bounds_is_left_out(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, spacing=(40.0, 40.0), **T2)
    with pytest.raises(StudyError, match="pixel spacing that cannot be"):
        load_study(series_writer.folder)


def test_limits_on_files_bytes_and_voxels(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, **T2)
    with zipfile.ZipFile(series_writer.folder.parent / "a.zip", "w") as archive:
        for file in files:
            archive.write(file, file.name)
    for path in (series_writer.folder, series_writer.folder.parent / "a.zip"):
        for name, value, words in (
            ("entries", 4, "expected at most 4 files in one study, found 5"),
            ("study_bytes", 50_000, "expected at most 50000 bytes in one study"),
            ("voxels", 50_000, "expected at most 50000 voxels in one study, found 60000"),
        ):
            with pytest.raises(LimitError, match=words) as caught:
                load_study(path, limits=Limits(**{name: value}))
            assert caught.value.code == f"limit_{name}"


def _zip(folder: Path, files: list[Path], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "study.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in files:
            archive.write(file, file.name)
    return path


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(3_000_000))
    path = _zip(tmp_path, [tmp_path / "zeros"])
    with pytest.raises(LimitError, match="grows at most 200 times") as caught:
        load_study(path, limits=Limits(zip_ratio_from_bytes=1_000_000))
    assert caught.value.code == "limit_zip_ratio"


def test_damaged_and_encrypted_zips_are_refused(series_writer, smooth_volume, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, **T2)
    path = _zip(tmp_path, files)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StudyError, match=r"study\.zip: the zip archive is damaged or cut short"):
        load_study(path)
    spoiled = bytearray(raw)
    middle = len(raw) // 3
    spoiled[middle : middle + 40] = bytes(40)
    path.write_bytes(spoiled)
    with pytest.raises(StudyError, match=r"study\.zip: .* inside it is damaged"):
        load_study(path)
    locked = bytearray(raw)
    start = locked.index(b"PK\x01\x02")
    locked[start + 8] |= 1  # general purpose flag, bit 0: encrypted
    path.write_bytes(locked)
    with pytest.raises(StudyError, match="without a password"):
        load_study(path)


def test_links_inside_a_zip_are_ignored(series_writer, smooth_volume, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, **T2)
    path = _zip(tmp_path, files)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    study = load_study(path)
    assert study.notices == ()
    assert study.series[0].volume.shape[2] == 5


def test_pixels_of_an_unknown_compression_are_refused(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def mislabel(dataset: FileDataset, _: int) -> None:
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # MPEG2
        dataset["PixelData"].is_undefined_length = True
        from pydicom.encaps import encapsulate

        dataset.PixelData = encapsulate([b"\x00" * 100])

    file = series_writer.write(smooth_volume[:1], change=mislabel, **T2)[0]
    with pytest.raises(StudyError, match="compressed in an unknown way"):
        load_study(file)
