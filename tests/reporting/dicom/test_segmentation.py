"""SEG out: valid, voxel by voxel the label map, at the same places, with references to the right frames."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.sr import _concepts_dict
from scipy.spatial.transform import Rotation

from anatomy.structures import label_codes
from imaging.dicom.segmentation import SEG_CLASSES, read_onto
from imaging.types import SourceKind
from reporting.dicom.segmentation import seg_files, segment_numbers
from reporting.export.classes import Classes, SEGClass
from reporting.export.content import SignedBy, mark_of
from reporting.export.package import Package, Source, load_package
from reporting.types import ReportState
from runtime.errors import StudyError
from tests.imaging.conftest import SAGITTAL, SeriesWriter
from tests.imaging.test_dicom_enhanced import SHARED, Frame, group, place, plain_frames, write_enhanced
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.packages import package_on
from tests.reporting.dicom.validators import dciodvfy

Phantoms = Callable[[str], ReadPhantom]
PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
BINARY, LABELMAP = SEGClass.BINARY, SEGClass.LABELMAP
TURNED = tuple(
    float(x)
    for x in Rotation.from_euler("xyz", (7, -4, 11), degrees=True).apply([SAGITTAL[:3], SAGITTAL[3:]]).ravel()
)
ORIENTATIONS = {
    "plain": SAGITTAL,
    "oblique": TURNED,
    "columns back to front": (0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
    "rows foot to head": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "rows and columns swapped": (0.0, 0.0, -1.0, 0.0, 1.0, 0.0),
    "swapped and both flipped": (0.0, 0.0, 1.0, 0.0, -1.0, 0.0),
}  # fmt: skip


def as_class(package: Package, kind: SEGClass) -> Package:
    """Return a package whose segmentations are of a class."""
    return replace(package, classes=Classes(seg=kind))


def opened(content: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(content))


@pytest.fixture
def lumbar(phantoms: Phantoms) -> Package:
    return load_package(phantoms("lumbar").reading / "reading.json")


@pytest.fixture
def series_writer(tmp_path: Path) -> SeriesWriter:
    folder = tmp_path / "study"
    folder.mkdir()
    return SeriesWriter(folder, pydicom.uid.generate_uid())


@pytest.fixture
def volume() -> NDArray[np.uint16]:
    """Return (slices, rows, columns)."""
    return np.random.default_rng(2).integers(0, 900, (5, 120, 100), dtype=np.uint16)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_phantom_leaves_as_valid_seg_and_comes_back(phantoms: Phantoms, protocol: str, tmp_path: Path) -> None:
    made = phantoms(protocol)
    package = load_package(made.reading / "reading.json", made.archive)
    files = seg_files(package)
    assert [file.name for file in files] == [f"seg/{series_id}.dcm" for series_id in package.label_maps]
    for file, (series_id, labels) in zip(files, package.label_maps.items(), strict=True):
        path = tmp_path / f"{series_id}.dcm"
        path.write_bytes(file.content)
        assert dciodvfy(path) == []
        numbers = segment_numbers(package, series_id)
        seg = highdicom.seg.segread(path)
        assert seg.segmentation_type.value == "BINARY"
        assert seg.number_of_segments == len(numbers) == len(np.unique(labels)) - 1
        assert _by_source_instance(seg, package, series_id, numbers)
        image = SimpleITK.ReadImage(str(path))  # GDCM: a second decoder of the bits, in the order of the frames
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image) != 0, _frames(opened(file.content)) != 0)
        _same_places(opened(file.content), made.reading / _label_file(package, series_id))
        _comes_back(path, package, series_id)


def _by_source_instance(seg: Any, package: Package, series_id: str, numbers: dict[int, int]) -> bool:
    """Compare, instance by instance through the references, with the label map on the source's own pixels."""
    assert package.source is not None
    slices = package.source.slices(series_id)
    pixels = seg.get_pixels_by_source_instance(
        [item.SOPInstanceUID for item in slices], combine_segments=True, assert_missing_frames_are_empty=True
    )
    table = np.zeros(256, dtype=int)
    for label, number in numbers.items():
        table[label] = number
    assert package.source.series(series_id).volume.source_axes == ((0, False), (1, False), (2, False))
    return np.array_equal(pixels, table[package.label_maps[series_id].transpose(2, 1, 0)])


def _label_file(package: Package, series_id: str) -> str:
    return next(str(row["file"]) for row in package.document["label_maps"] if row["series"] == series_id)


def _same_places(seg: Dataset, nifti: Path) -> None:
    """Compare each labelled pixel, put into the world by the numbers of its frame alone, with the NIfTI file."""
    image = nib.load(nifti)
    stored = np.asarray(image.dataobj)
    to_voxel = np.linalg.inv(image.affine)
    found = np.zeros_like(stored)
    names = {row.name: label for label, row in label_codes().items()}
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, _frames(seg), strict=True):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        label = names[seg.SegmentSequence[number - 1].SegmentLabel]
        ras = _world(seg, frame, np.argwhere(pixels)) * [-1.0, -1.0, 1.0]
        voxels = ras @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        at = np.rint(voxels).astype(int)
        assert np.abs(voxels - at).max() < 0.02
        found[tuple(at.T)] = label
    np.testing.assert_array_equal(found, stored)


def _frames(seg: Dataset) -> NDArray[np.uint8]:
    """Return (frames, rows, columns), unpacked by numpy: bits run on over frames, lowest first (PS3.5 8.1.1)."""
    shape = (int(seg.NumberOfFrames), seg.Rows, seg.Columns)
    return np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")[: np.prod(shape)].reshape(
        shape
    )


def _world(seg: Dataset, frame: Dataset, pixels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return pixels (row, column) as LPS mm. Source: PS3.3 C.7.6.2.1.1."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    origin = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
    return origin + pixels[:, 1:] * between_columns * cosines[0] + pixels[:, :1] * between_rows * cosines[1]


def _comes_back(path: Path, package: Package, series_id: str) -> None:
    """Read a SEG onto its series."""
    assert package.source is not None
    with path.open("rb") as stream:
        placed = read_onto(stream, path.name, package.source.series(series_id))
    assert placed.is_same_grid
    np.testing.assert_array_equal(placed.array, package.label_maps[series_id])


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=list(ORIENTATIONS))
def test_any_orientation_keeps_its_pixels(
    lumbar: Package,
    series_writer: SeriesWriter,
    volume: NDArray[np.uint16],
    orientation: tuple[float, ...],
    kind: SEGClass,
    tmp_path: Path,
) -> None:
    files = series_writer.write(volume, orientation=orientation, EchoTime=100.0, RepetitionTime=3500.0)
    package = package_on(lumbar, series_writer.folder)
    assert package.source is not None
    (series,) = package.source.study.series
    before = {uid: deepcopy(item) for uid, item in package.source.instances.items()}
    (file,) = seg_files(as_class(package, kind))
    assert package.source.instances == before
    seg = opened(file.content)
    path = tmp_path / "seg.dcm"
    path.write_bytes(file.content)
    sources = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, files)}
    order = [sources[uid] for uid in series.instance_uids]
    pixels = highdicom.seg.segread(path).get_pixels_by_source_instance(
        [item.SOPInstanceUID for item in order], combine_segments=True, assert_missing_frames_are_empty=True
    )
    numbers = segment_numbers(as_class(package, kind), series.id)
    label_of = {number: label for label, number in numbers.items()}
    for k, source in enumerate(order):
        rows, columns = np.nonzero(pixels[k])
        assert pixels[k].shape == source.pixel_array.shape
        for row, column in zip(rows[::5], columns[::5], strict=True):
            i, j = _ours(series, source, row, column, k)
            assert package.label_maps[series.id][i, j, k] == label_of[pixels[k, row, column]]
        assert np.count_nonzero(pixels[k]) == np.count_nonzero(package.label_maps[series.id][:, :, k])
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[reference.ReferencedSOPInstanceUID]
        assert reference.ReferencedSOPClassUID == source.SOPClassUID
        assert "ReferencedFrameNumber" not in reference
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert list(position) == pytest.approx(list(source.ImagePositionPatient), abs=1e-10)
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert list(cosines) == pytest.approx(list(order[0].ImageOrientationPatient), abs=1e-10)
    assert shared.PixelMeasuresSequence[0].PixelSpacing == order[0].PixelSpacing
    assert seg.FrameOfReferenceUID == order[0].FrameOfReferenceUID
    _comes_back(path, package, series.id)


def _ours(series: Any, source: Dataset, row: int, column: int, k: int) -> tuple[int, int]:
    """Return our (i, j) of a pixel of an instance, through the world."""
    cosines = np.array(source.ImageOrientationPatient, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, source.PixelSpacing)
    lps = np.array(source.ImagePositionPatient, dtype=float) + column * between_columns * cosines[0]
    lps = lps + row * between_rows * cosines[1]
    i, j, found = np.linalg.inv(series.volume.affine)[:3] @ [-lps[0], -lps[1], lps[2], 1.0]
    assert abs(found - k) < 0.02
    return round(i), round(j)


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("is_per_frame", [False, True], ids=["orientation shared", "orientation of each frame"])
def test_frames_of_an_enhanced_object_are_referred_to_by_number(
    lumbar: Package,
    series_writer: SeriesWriter,
    volume: NDArray[np.uint16],
    kind: SEGClass,
    is_per_frame: bool,
    tmp_path: Path,
) -> None:
    frames = plain_frames(volume, [3, 0, 4, 1, 2])
    shared = {}
    if is_per_frame:
        for frame in frames:
            frame.groups = [SHARED["orientation"](), SHARED["measures"]()]
        shared = {"orientation": Dataset(), "measures": Dataset()}
    frames.append(Frame(volume[0], place(0), [group("MREchoSequence", EffectiveEchoTime=20.0), *frames[1].groups]))
    file = write_enhanced(series_writer, frames, shared=shared)
    package = package_on(lumbar, file)
    assert package.source is not None
    series = package.source.study.series[0]
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_files(as_class(package, kind))[0].content)
    seg, source = pydicom.dcmread(path), pydicom.dcmread(file)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == source.SOPClassUID
        theirs = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == theirs.PlanePositionSequence[0].ImagePositionPatient
    (told,) = seg.SourceImageSequence
    assert told.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert told.ReferencedFrameNumber == sorted(series.frame_numbers)
    (listed,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert listed.ReferencedSOPInstanceUID == source.SOPInstanceUID
    _comes_back(path, package, series.id)
    if kind is BINARY:
        assert dciodvfy(path) == []


def test_one_stack_in_two_enhanced_objects_is_one_segmentation(
    lumbar: Package, series_writer: SeriesWriter, volume: NDArray[np.uint16], tmp_path: Path
) -> None:
    frames = plain_frames(volume, list(range(5)))

    def join(dataset: FileDataset) -> None:
        dataset.SeriesInstanceUID = "2.25.77"

    files = [write_enhanced(series_writer, part, change=join) for part in (frames[:2], frames[2:])]
    package = package_on(lumbar, series_writer.folder)
    assert package.source is not None
    series = package.source.study.series[0]
    assert len(set(series.instance_uids)) == 2
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_files(package)[0].content)
    assert dciodvfy(path) == []
    seg = pydicom.dcmread(path)
    assert len(seg.SourceImageSequence) == 2
    sources = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, files)}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[reference.ReferencedSOPInstanceUID]
        theirs = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == theirs.PlanePositionSequence[0].ImagePositionPatient
    _comes_back(path, package, series.id)


def test_what_a_segment_is_stands_in_codes(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    file = seg_files(load_package(made.reading / "reading.json", made.archive))[0]
    segments = {item.SegmentLabel: item for item in opened(file.content).SegmentSequence}
    left = segments["left sacroiliac joint space"]
    (kind,) = left.SegmentedPropertyTypeCodeSequence
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("39723000", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert left.SegmentAlgorithmType == "AUTOMATIC"
    assert left.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "SpineScribe"
    assert len({item.TrackingUID for item in segments.values()}) == len(segments)
    for item in segments.values():
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"


def test_every_code_is_one_of_the_standards() -> None:
    meanings: dict[str, set[str]] = {row.snomed_ct: set() for row in label_codes().values()}
    for names in _concepts_dict.concepts["SCT"].values():  # pydicom makes it from PS3.16
        for code, (meaning, _) in names.items():
            if code in meanings:
                meanings[code].add(meaning)
    for row in label_codes().values():
        assert row.snomed_meaning in meanings[row.snomed_ct]
        assert row.source.startswith("PS3.16 CID ")


def test_two_exports_are_one_object_and_states_differ(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    package = load_package(made.reading / "reading.json", made.archive)
    first, second = (opened(seg_files(package)[0].content) for _ in range(2))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "DimensionOrganizationSequence", "SegmentSequence"):
        assert first[keyword] == second[keyword]
    assert first.PixelData == second.PixelData
    assert first.ContentLabel == "AI_DRAFT"
    assert "DRAFT" in first.SeriesDescription
    assert "DRAFT" in first.ContentDescription
    by = SignedBy("Dr Test", datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    signed = replace(
        package.outgoing, status=ReportState.SIGNED, version=2, mark=mark_of(ReportState.SIGNED), signature=by
    )
    third = opened(seg_files(replace(package, outgoing=signed))[0].content)
    assert third.SOPInstanceUID != first.SOPInstanceUID
    assert third.ContentLabel == "AI_SEGMENTATION"
    assert "DRAFT" not in third.SeriesDescription
    assert opened(seg_files(as_class(package, LABELMAP))[0].content).SOPInstanceUID != first.SOPInstanceUID


def test_a_labelmap_holds_our_numbers(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    package = load_package(made.reading / "reading.json", made.archive)
    seg = opened(seg_files(as_class(package, LABELMAP))[0].content)
    labels = next(iter(package.label_maps.values()))
    assert str(seg.SOPClassUID) == SEG_CLASSES[1]
    assert set(np.unique(seg.pixel_array)) == set(np.unique(labels))
    assert [item.SegmentNumber for item in seg.SegmentSequence] == np.unique(labels).tolist()  # 0 is background


def test_the_patient_is_the_sources_and_odd_values_stop_nothing(
    lumbar: Package, series_writer: SeriesWriter, volume: NDArray[np.uint16]
) -> None:
    def odd(dataset: FileDataset, _: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = "Müller^Zoë"
        with pydicom.config.disable_value_validation():
            dataset.PatientSex = "W"
            dataset.PatientBirthDate = "1950-13-41"
            dataset.StudyTime = "noon"
        del dataset.SliceThickness

    series_writer.write(volume, change=odd, EchoTime=100.0, RepetitionTime=3500.0)
    seg = opened(seg_files(package_on(lumbar, series_writer.folder))[0].content)
    assert (str(seg.PatientName), seg.PatientID) == ("Müller^Zoë", "SECRET-1")
    assert (seg.PatientSex, seg.PatientBirthDate, seg.StudyTime) == ("", "", "")
    assert seg.StudyInstanceUID == series_writer.study_uid


def test_what_has_no_frame_of_reference_is_refused(
    lumbar: Package, series_writer: SeriesWriter, volume: NDArray[np.uint16]
) -> None:
    series_writer.write(
        volume, change=lambda dataset, _: dataset.pop("FrameOfReferenceUID"), EchoTime=100.0, RepetitionTime=3500.0
    )
    with pytest.raises(StudyError, match="expected a frame of reference"):
        seg_files(package_on(lumbar, series_writer.folder))


def test_without_label_map_or_study_or_dicom_it_says_so(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    package = load_package(made.reading / "reading.json", made.archive)
    assert package.source is not None
    with pytest.raises(StudyError, match="needs a label map"):
        seg_files(replace(package, label_maps={}))
    empty = {series_id: np.zeros_like(labels) for series_id, labels in package.label_maps.items()}
    with pytest.raises(StudyError, match="needs a label map"):
        seg_files(replace(package, label_maps=empty))
    with pytest.raises(StudyError, match="--source"):
        seg_files(replace(package, source=None))
    picture = Source(Path("spine.png"), replace(package.source.study, source=SourceKind.PICTURE))
    with pytest.raises(StudyError, match="expected a DICOM study, found picture"):
        seg_files(replace(package, source=picture))


def test_a_series_without_label_map_is_left_out(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    package = load_package(made.reading / "reading.json", made.archive)
    first = next(iter(package.label_maps))
    (file,) = seg_files(replace(package, label_maps={first: package.label_maps[first]}))
    assert file.name == f"seg/{first}.dcm"
