import logging
import shutil
import warnings
import zipfile
from pathlib import Path

import gdcm
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import RLELossless, generate_uid
from scipy.spatial.transform import Rotation

from imaging import load_study, write_label_map
from imaging.geometry import source_affine
from imaging.types import Plane, Sequence, SourceKind, Spacing, Study

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T2 = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
T1 = {"EchoTime": 11.0, "RepetitionTime": 600.0}

Volume = NDArray[np.uint16]


def tilted(orientation: tuple[float, ...], angles: tuple[float, float, float]) -> tuple[float, ...]:
    turn = Rotation.from_euler("xyz", angles, degrees=True)
    return tuple(float(x) for x in (*turn.apply(orientation[:3]), *turn.apply(orientation[3:])))


def itk_geometry(files: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.generic]]:
    """Return ITK's affine in RAS+ and its voxels (I, J, K) for files in the order of their slices."""
    image = SimpleITK.ReadImage([str(file) for file in files])
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1, 1, 1]) @ affine, SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)


def test_three_series_take_their_roles(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, number=3, orientation=SAGITTAL, **T2, PatientSex="F", PatientAge="045Y")
    series_writer.write(smooth_volume, number=2, orientation=SAGITTAL, **T1, MagneticFieldStrength=1.5)
    series_writer.write(smooth_volume, number=5, orientation=AXIAL, **T2, Manufacturer="SIEMENS")
    series_writer.write(smooth_volume, number=9, orientation=CORONAL, **T2)
    study = load_study(series_writer.folder)
    assert [(s.id, s.role, s.plane) for s in study.series] == [
        ("S1", "sagittal_t1", Plane.SAGITTAL),
        ("S2", "sagittal_t2", Plane.SAGITTAL),
        ("S3", "axial_t2", Plane.AXIAL),
        ("S4", None, Plane.CORONAL),
    ]
    assert (study.source, study.protocol, study.sex, study.age_years) == (SourceKind.DICOM, "lumbar", "F", 45.0)
    assert study.notices == ()
    assert study.series[0].header["field_strength_t"] == 1.5
    assert study.series[2].header["manufacturer"] == "SIEMENS"
    assert study.series[1].volume.spacing == Spacing(row_mm=0.7, col_mm=0.6, slice_mm=4.0)


@pytest.mark.parametrize("orientation", [SAGITTAL, AXIAL, CORONAL])
def test_geometry_and_pixels_agree_with_itk(series_writer, smooth_volume, orientation) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, orientation=tilted(orientation, (6, -9, 4)), **T2)
    volume = load_study(series_writer.folder).series[0].volume
    affine, voxels = itk_geometry(files)
    np.testing.assert_allclose(source_affine(volume), affine, atol=1e-3)
    np.testing.assert_array_equal(volume.array, voxels)  # these orientations are stored as they are shown
    assert volume.source_axes == ((0, False), (1, False), (2, False))


def test_a_series_stored_the_other_way_round_is_turned_and_its_label_map_turned_back(  # type: ignore[no-untyped-def]
    series_writer, smooth_volume: Volume, tmp_path: Path
) -> None:
    feet_first = (0.0, 0.0, 1.0, 0.0, -1.0, 0.0)  # columns to the head, rows to the front
    files = series_writer.write(smooth_volume, orientation=feet_first, **T2)
    study = load_study(series_writer.folder)
    volume = study.series[0].volume
    affine, voxels = itk_geometry(files)
    assert volume.affine is not None
    assert volume.affine[1, 0] < 0 > volume.affine[2, 1]
    np.testing.assert_array_equal(volume.array, voxels[::-1, ::-1].transpose(1, 0, 2))
    labels = (volume.array % 251).astype(np.uint8)
    written = nib.load(write_label_map(labels, study.series[0], study.source, tmp_path))
    np.testing.assert_allclose(written.affine, affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(written.dataobj), voxels % 251)


def test_order_comes_from_positions_not_from_instance_numbers(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def shuffle(dataset: FileDataset, k: int) -> None:
        dataset.InstanceNumber = 99 - k

    files = series_writer.write(smooth_volume, change=shuffle, **T2)
    series = load_study(series_writer.folder).series[0]
    np.testing.assert_array_equal(series.volume.array, smooth_volume.transpose(2, 1, 0))
    names = [file.name.split("_")[2].removesuffix(".dcm") for file in files]
    assert [uid[-6:] for uid in series.instance_uids] == names


def test_slope_intercept_and_monochrome1(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, number=1, **T2, RescaleSlope=2.5, RescaleIntercept=-10)
    series_writer.write(smooth_volume, number=2, **T1, PhotometricInterpretation="MONOCHROME1")
    first, second = load_study(series_writer.folder).series
    expected = smooth_volume.transpose(2, 1, 0).astype(np.float32)
    np.testing.assert_allclose(first.volume.array, expected * 2.5 - 10)
    np.testing.assert_allclose(second.volume.array, expected.max() + expected.min() - expected)


def test_signed_pixels(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    signed = smooth_volume.astype(np.int16) - 1000
    series_writer.write(signed.view(np.uint16), PixelRepresentation=1, BitsStored=16, HighBit=15, **T2)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, signed.transpose(2, 1, 0))


def test_one_file_nested_folders_and_zip_hold_the_same_study(series_writer, smooth_volume, tmp_path) -> None:  # type: ignore[no-untyped-def]
    files = series_writer.write(smooth_volume, **T2)
    whole = load_study(series_writer.folder)
    deep = tmp_path / "tree" / "a" / "b"
    deep.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._junk", "x")
        for n, file in enumerate(files):
            shutil.copy(file, deep / f"IM{n}" if n % 2 else deep.parent / f"IM{n}")
            archive.write(file, f"../../folder/IM{n}")
    before = sorted(tmp_path.rglob("*"))
    assert load_study(tmp_path / "tree").key == whole.key
    packed = load_study(tmp_path / "study.zip")
    assert (packed.key, packed.notices) == (whole.key, ())
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked to disk
    single = load_study(files[2])
    np.testing.assert_array_equal(single.series[0].volume.slice_image(0), smooth_volume[2])
    assert single.series[0].volume.spacing == Spacing(0.7, 0.6, None)


def test_a_file_without_preamble_is_read(series_writer, smooth_volume: Volume, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import pydicom

    dataset = pydicom.dcmread(series_writer.write(smooth_volume[:1], **T2)[0])
    bare = tmp_path / "bare"
    dataset.preamble = None
    del dataset.file_meta
    pydicom.dcmwrite(bare, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert bare.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(load_study(bare).series[0].volume.slice_image(0), smooth_volume[0])


def test_links_out_of_the_folder_are_not_followed(series_writer, smooth_volume, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume[:3], **T2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in list(series_writer.folder.iterdir())[:1]:
        shutil.move(file, elsewhere / file.name)
        (series_writer.folder / "link.dcm").symlink_to(elsewhere / file.name)
    (series_writer.folder / "loop").symlink_to(elsewhere)
    assert load_study(series_writer.folder).series[0].volume.shape[2] == 2


@pytest.mark.parametrize("syntax", ["rle", "jpeg lossless", "jpeg-ls", "jpeg 2000"])
def test_compressed_pixels_come_back_exactly(series_writer, smooth_volume, syntax: str) -> None:  # type: ignore[no-untyped-def]
    for file in series_writer.write(smooth_volume, **T2):
        _compress(file, syntax)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, smooth_volume.transpose(2, 1, 0))


def _compress(file: Path, syntax: str) -> None:
    import pydicom

    if syntax == "rle":
        dataset = pydicom.dcmread(file)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(file)
        return
    kinds = {
        "jpeg lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        "jpeg-ls": gdcm.TransferSyntax.JPEGLSLossless,
        "jpeg 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    }
    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_localisers_are_left_out(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    uid = generate_uid()
    for plane in (SAGITTAL, AXIAL, CORONAL):
        series_writer.write(smooth_volume[:1], number=1, orientation=plane, series_uid=uid, **T1)
    series_writer.write(smooth_volume, number=2, SeriesDescription="LOCALIZER sag", **T2)
    series_writer.write(smooth_volume, number=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **T2)
    series_writer.write(smooth_volume, number=4, **T2)
    study = load_study(series_writer.folder)
    assert len(study.series) == 1
    assert [notice for notice in study.notices if "localiser" in notice] == [
        f"Series number {n} is a localiser and was left out." for n in (1, 2, 3)
    ]


def test_tilted_axial_blocks_become_stacks_of_one_role(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    uid = generate_uid()
    series_writer.write(smooth_volume, number=1, **T2)
    for n, angle in enumerate((-15.0, 0.0, 20.0)):
        orientation = tilted(AXIAL, (angle, 0, 0))
        origin = (-30.0, -30.0, 100.0 - 40 * n)
        series_writer.write(smooth_volume, number=2, orientation=orientation, origin=origin, series_uid=uid, **T2)
    blocks = [series for series in load_study(series_writer.folder).series if series.plane is Plane.AXIAL]
    assert [series.role for series in blocks] == ["axial_t2"] * 3
    heights = [float(series.volume.affine[2, 3]) for series in blocks if series.volume.affine is not None]
    assert heights == sorted(heights, reverse=True)


def test_two_echoes_at_the_same_places_are_told_apart(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    uid = generate_uid()
    series_writer.write(smooth_volume, series_uid=uid, EchoTime=12.0, RepetitionTime=3500.0)
    series_writer.write(smooth_volume, series_uid=uid, **T2)
    study = load_study(series_writer.folder)
    assert sorted((s.header["echo_time_ms"], s.role) for s in study.series) == [
        (12.0, None),
        (100.0, "sagittal_t2"),
    ]


def test_doubles_missing_slices_and_other_sizes_are_told(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    uid = generate_uid()
    files = series_writer.write(np.concatenate([smooth_volume] * 2), series_uid=uid, **T2)
    shutil.copy(files[0], series_writer.folder / "copy.dcm")
    files[4].unlink()
    series_writer.write(smooth_volume[:2, :50, :60], series_uid=uid, origin=(200.0, 0.0, 0.0), **T2)
    study = load_study(series_writer.folder)
    assert [series.volume.shape for series in study.series] == [(100, 120, 5), (100, 120, 4), (60, 50, 2)]
    assert study.notices == (
        "1 slices that came twice were dropped.",
        "Series number 1: holds images of several sizes (9, 2 slices), kept as series of their own.",
        "Series number 1: slices are missing or unevenly spaced; the evenly spaced runs were kept as series of "
        "their own (5, 4 slices).",
    )


def test_objects_without_images_and_other_files_are_left_out(  # type: ignore[no-untyped-def]
    series_writer, smooth_volume: Volume
) -> None:
    series_writer.write(smooth_volume, **T2)

    def report(dataset: FileDataset, _: int) -> None:
        dataset.Modality = "SR"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(dataset, keyword)

    def flat(dataset: FileDataset, _: int) -> None:
        del dataset.ImagePositionPatient

    def coloured(dataset: FileDataset, _: int) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.PixelData = bytes(120 * 100 * 3)

    def ct(dataset: FileDataset, _: int) -> None:
        dataset.Modality = "CT"

    for number, change in enumerate((report, flat, coloured, ct), start=7):
        series_writer.write(smooth_volume[:1], number=number, change=change, **T2)
    (series_writer.folder / "readme.txt").write_text("words")
    study = load_study(series_writer.folder)
    assert len(study.series) == 1
    assert sorted(study.notices) == [
        "1 files that are not DICOM were left out.",
        "Left out: 1 x DICOM object without an image.",
        "Left out: 1 x MR image without position, orientation or pixel spacing.",
        "Left out: 1 x coloured image.",
        "Left out: 1 x image of modality CT.",
    ]


def test_enhanced_multi_frame_is_read(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    order = [3, 0, 4, 1, 2]

    def enhance(dataset: FileDataset, _: int) -> None:
        _make_enhanced(dataset, smooth_volume, order)

    file = series_writer.write(smooth_volume[:1], change=enhance)[0]
    series = load_study(file).series[0]
    np.testing.assert_allclose(series.volume.array, smooth_volume.transpose(2, 1, 0) * 2.0)
    assert (series.sequence, series.role) == (Sequence.STIR, "sagittal_stir")
    assert series.header["inversion_time_ms"] == 160.0
    assert series.volume.spacing == Spacing(0.7, 0.6, 4.0)
    assert len(set(series.instance_uids)) == 1
    assert len(series.instance_uids) == 5


def _make_enhanced(dataset: FileDataset, volume: Volume, order: list[int]) -> None:
    from pydicom.dataset import Dataset
    from pydicom.uid import EnhancedMRImageStorage

    def group(keyword: str, **values: object) -> Dataset:
        outer, inner = Dataset(), Dataset()
        for name, value in values.items():
            setattr(inner, name, value)
        setattr(outer, keyword, [inner])
        return outer

    shared = group("PixelMeasuresSequence", PixelSpacing=[0.7, 0.6], SliceThickness=4.0)
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=list(SAGITTAL)))
    shared.update(group("MREchoSequence", EffectiveEchoTime=60.0))
    shared.update(group("MRTimingAndRelatedParametersSequence", RepetitionTime=4000.0, FlipAngle=90.0))
    shared.update(group("MRModifierSequence", InversionRecovery="YES", InversionTimes=[160.0]))
    shared.update(group("PixelValueTransformationSequence", RescaleSlope=2.0, RescaleIntercept=0.0))
    frames = [group("PlanePositionSequence", ImagePositionPatient=[-20.0 - 4.0 * k, -80.0, 150.0]) for k in order]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ScanningSequence"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = len(order)
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.PixelData = volume[order].astype("<u2").tobytes()


def test_an_oblique_coronal_series_is_named_by_its_description(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    halfway = tilted(CORONAL, (-48.0, 0, 0))
    series_writer.write(smooth_volume, number=1, orientation=halfway, SeriesDescription="obl cor STIR")
    series_writer.write(smooth_volume, number=2, orientation=halfway, **T1)
    study = load_study(series_writer.folder, protocol="sacroiliac")
    assert [(s.plane, s.role) for s in study.series] == [(Plane.CORONAL, "coronal_stir"), (Plane.AXIAL, None)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "095Y"}, 90.0),
        ({"PatientBirthDate": "19800615", "StudyDate": "20200614"}, 39.0),
        ({"PatientBirthDate": "19800615", "StudyDate": "20200615"}, 40.0),
        ({"PatientAge": "old"}, None),
        ({"PatientBirthDate": "20300101", "StudyDate": "20200615"}, None),
        ({"PatientBirthDate": "1980"}, None),
        ({}, None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_age_is_read_and_never_guessed(  # type: ignore[no-untyped-def]
    series_writer, smooth_volume, header: dict[str, str], expected: float | None
) -> None:
    series_writer.write(smooth_volume[:1], **T2, **header)
    study = load_study(series_writer.folder)
    assert study.age_years == expected
    assert study.sex is None


def test_no_identity_leaves_the_reader(  # type: ignore[no-untyped-def]
    series_writer, smooth_volume: Volume, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = {
        "PatientBirthDate": "19510203",
        "AccessionNumber": "SECRET-ACC",
        "InstitutionName": "Secret Hospital",
        "SeriesDescription": "sag t2 Secret",
        "StudyDescription": "lumbar spine Secret",
        "PatientAge": "SECRET-AGE",
        "StudyDate": "20200615",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series_writer.write(smooth_volume, **T2, **secrets)
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        study = load_study(series_writer.folder)
    said = " ".join([repr(_without_pixels(study)), caplog.text, *(str(item.message) for item in caught)])
    for word in ("secret", "1951", "2020"):
        assert word not in said.lower()


def _without_pixels(study: Study) -> tuple[object, ...]:
    return (study.to_dict(), study.notices, [(s.reasons, s.header) for s in study.series])


def test_body_part_chooses_the_protocol(series_writer, smooth_volume: Volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, BodyPartExamined="CSPINE", **T2)
    assert load_study(series_writer.folder).protocol == "cervical"
