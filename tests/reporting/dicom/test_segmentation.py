"""SEG out: valid, voxel by voxel the label map, at the same places; what it says of itself and when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
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

from anatomy.structures import label_codes
from imaging.dicom.sop_classes import LABEL_MAP_SEGMENTATION
from imaging.types import SourceKind
from reporting.dicom.segmentation import seg_files, segment_numbers
from reporting.export.classes import SEGClass
from reporting.export.content import SignedBy, mark_of
from reporting.export.package import Package, Source, load_package
from reporting.types import ReportState
from runtime.errors import StudyError
from tests.imaging.conftest import SeriesWriter
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.packages import package_on
from tests.reporting.dicom.segs import as_class, check_it_comes_back, opened
from tests.reporting.dicom.validators import dciodvfy

Phantoms = Callable[[str], ReadPhantom]
PROTOCOLS = ("lumbar", "cervical", "sacroiliac")


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
        check_it_comes_back(path, package, series_id)


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
    assert (
        opened(seg_files(as_class(package, SEGClass.LABELMAP))[0].content).SOPInstanceUID != first.SOPInstanceUID
    )


def test_a_labelmap_holds_our_numbers(phantoms: Phantoms) -> None:
    made = phantoms("sacroiliac")
    package = load_package(made.reading / "reading.json", made.archive)
    seg = opened(seg_files(as_class(package, SEGClass.LABELMAP))[0].content)
    labels = next(iter(package.label_maps.values()))
    assert str(seg.SOPClassUID) == LABEL_MAP_SEGMENTATION
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
