"""What we write as dcmqi reads it, the library behind 3D Slicer's DICOM SEG, and what it writes as we do.

Of a structured report dcmqi reads the measurement groups: tracking, finding, site, side, segment, values, codes.
Boxes on images, the properties of a grade (prediction set, probabilities) and the sentences are beyond it.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from anatomy.structures import label_codes
from cli.main import main
from imaging.dicom.segmentation import read_onto
from imaging.types import Series
from reporting.dicom.codes import Kind, code_of, step_code
from reporting.dicom.common import segment_tracking
from reporting.dicom.segmentation import seg_files, segment_numbers
from reporting.dicom.sr_places import segments_of
from reporting.dicom.structured import sr_files
from reporting.export.classes import SEGClass
from reporting.export.package import Package, load_package
from reporting.slice_picture import structure_colours
from tests.imaging.conftest import SeriesWriter
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.packages import package_on
from tests.reporting.dicom.segs import ORIENTATIONS, as_class
from tests.reporting.dicom.validators import dcmqi

Phantoms = Callable[[str], ReadPhantom]
PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
LPS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def packages(phantoms: Phantoms) -> Callable[[str], Package]:
    """Return what gives the export of a protocol's phantom."""

    @cache
    def make(protocol: str) -> Package:
        made = phantoms(protocol)
        return load_package(made.reading / "reading.json", made.archive)

    return make


def code(item: Any) -> tuple[str, str]:
    """Return value and scheme of a code of pydicom, highdicom or dcmqi's JSON."""
    if isinstance(item, dict):
        return item["CodeValue"], item["CodingSchemeDesignator"]
    return item.value, item.scheme_designator


def read_seg(content: bytes, folder: Path) -> tuple[SimpleITK.Image, dict[int, dict[str, Any]]]:
    """Return the labels as dcmqi makes them, and what it says of each number."""
    folder.mkdir()
    (folder / "seg.dcm").write_bytes(content)
    dcmqi(
        "segimage2itkimage", inputDICOM=folder / "seg.dcm", outputDirectory=folder, outputType="nii",
        mergeSegments=True,
    )  # fmt: skip
    (file,) = folder.glob("*.nii.gz")  # one: no segment overlaps another
    (told,) = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["segmentAttributes"]
    return SimpleITK.ReadImage(str(file)), {item["labelID"]: item for item in told}


def on_series(image: SimpleITK.Image, series: Series) -> NDArray[np.int64]:
    """Return the numbers of an image at the voxel centres of a series, (I, J, K); 0 outside of the image."""
    assert series.volume.affine is not None
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    voxels = np.stack(np.indices(series.volume.shape), axis=-1).reshape(-1, 3)
    world = (voxels @ series.volume.affine[:3, :3].T + series.volume.affine[:3, 3]) * LPS
    exact = (world - np.array(image.GetOrigin())) @ np.linalg.inv(matrix).T
    index = np.rint(exact).astype(int)
    assert np.abs(exact - index).max() < 0.01  # one grid: every centre is a centre
    inside = ((index >= 0) & (index < image.GetSize())).all(axis=1)
    array = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    found = np.zeros(len(index), dtype=np.int64)
    found[inside] = array[tuple(index[inside].T)]
    assert np.count_nonzero(found) == np.count_nonzero(array)
    return found.reshape(series.volume.shape)


def numbered(package: Package, series_id: str) -> NDArray[np.int64]:
    """Return a label map as segment numbers."""
    table = np.zeros(256, dtype=np.int64)
    for label, number in segment_numbers(package, series_id).items():
        table[label] = number
    return np.asarray(table[package.label_maps[series_id]])


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dcmqi_reads_the_labels_where_they_lie_and_what_they_are(
    packages: Callable[[str], Package], protocol: str, kind: SEGClass, tmp_path: Path
) -> None:
    package = as_class(packages(protocol), kind)
    for file, series_id in zip(seg_files(package), package.label_maps, strict=True):
        image, told = read_seg(file.content, tmp_path / series_id)
        numbers = segment_numbers(package, series_id)
        series = package.require_source().series(series_id)
        np.testing.assert_array_equal(on_series(image, series), numbered(package, series_id))
        assert set(told) == set(numbers.values())
        for label, number in numbers.items():
            _is_told(package, series_id, label, told[number])


def _is_told(package: Package, series_id: str, label: int, told: dict[str, Any]) -> None:
    ours = label_codes()[label]
    assert told["SegmentLabel"] == ours.name
    assert code(told["SegmentedPropertyCategoryCodeSequence"]) == ("91723000", "SCT")
    if ours.snomed_ct:
        assert code(told["SegmentedPropertyTypeCodeSequence"]) == (ours.snomed_ct, "SCT")
    side = told.get("SegmentedPropertyTypeModifierCodeSequence")
    assert (side and side["CodeMeaning"].lower()) == (ours.side and ours.side.value)
    tracked = told["TrackingIdentifier"], told["TrackingUniqueIdentifier"]
    assert tracked == segment_tracking(package, series_id, label)
    assert (told["SegmentAlgorithmType"], told["SegmentAlgorithmName"]) == ("AUTOMATIC", "SpineScribe")
    np.testing.assert_allclose(told["recommendedDisplayRGBValue"], structure_colours()[label], atol=2)


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("orientation", ["oblique", "swapped and both flipped"])
def test_dcmqi_finds_the_place_of_slices_in_any_orientation(
    packages: Callable[[str], Package], orientation: str, kind: SEGClass, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    pixels = np.random.default_rng(2).integers(0, 900, (5, 120, 100), dtype=np.uint16)
    SeriesWriter(study, pydicom.uid.generate_uid()).write(
        pixels, orientation=ORIENTATIONS[orientation], EchoTime=100.0, RepetitionTime=3500.0
    )
    package = as_class(
        package_on(packages("lumbar"), study), kind
    )  # slices without a structure at one end and within
    (series,) = package.require_source().study.series
    image, told = read_seg(seg_files(package)[0].content, tmp_path / "read")
    np.testing.assert_array_equal(on_series(image, series), numbered(package, series.id))
    assert set(told) == set(segment_numbers(package, series.id).values())


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_seg_that_dcmqi_writes_comes_in(
    packages: Callable[[str], Package], phantoms: Phantoms, protocol: str, kind: SEGClass, tmp_path: Path
) -> None:
    package = as_class(packages(protocol), kind)
    series_id, labels = next(iter(package.label_maps.items()))
    series = package.require_source().series(series_id)
    read_seg(seg_files(package)[0].content, tmp_path / "read")
    written = tmp_path / "other.dcm"
    dcmqi(
        "itkimage2segimage", inputImageList=next((tmp_path / "read").glob("*.nii.gz")),
        inputMetadata=tmp_path / "read" / "meta.json", segmentationType=kind.value, outputDICOM=written,
        inputDICOMList=",".join(map(str, _files_of(phantoms(protocol).study, series))),
        **({} if kind is SEGClass.BINARY else {"useLabelIDAsSegmentNumber": True}),
    )  # fmt: skip
    assert "dcmqi" in str(pydicom.dcmread(written).get("ManufacturerModelName", "")).lower()
    with written.open("rb") as stream:
        placed = read_onto(stream, "other.dcm", series)
    assert placed.is_same_grid
    np.testing.assert_array_equal(placed.array, labels)
    assert main(["import-labels", str(written), "--out", str(tmp_path / "imported")]) == 0
    imported = nib.load(tmp_path / "imported" / "label_map.nii.gz")
    assert set(np.unique(np.asarray(imported.dataobj))) == set(np.unique(labels))


def _files_of(study: Path, series: Series) -> list[Path]:
    headers = {file: pydicom.dcmread(file, stop_before_pixels=True) for file in study.rglob("*.dcm")}
    return [file for file, header in headers.items() if header.SeriesInstanceUID == series.series_instance_uid]


@pytest.fixture(scope="module")
def reports(packages: Callable[[str], Package], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Return what gives the measurement groups of a protocol's structured report as dcmqi reads them."""

    @cache
    def make(protocol: str, kind: SEGClass = SEGClass.BINARY) -> Any:
        folder = tmp_path_factory.mktemp(protocol)
        (file,) = sr_files(as_class(packages(protocol), kind))
        (folder / "report.dcm").write_bytes(file.content)
        dcmqi("tid1500reader", inputDICOM=folder / "report.dcm", outputMetadata=folder / "report.json")
        return json.loads((folder / "report.json").read_text(encoding="utf-8"))

    return make


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dcmqi_reads_every_measurement_with_its_unit_and_place(
    packages: Callable[[str], Package], reports: Callable[[str], Any], protocol: str
) -> None:
    read = reports(protocol)
    expected = Counter(
        (
            item.level and code(code_of(Kind.LEVEL, item.level)),
            item.side and code(code_of(Kind.SIDE, item.side.value)),
            code(code_of(Kind.MEASUREMENT, item.name)),
            code(code_of(Kind.UNIT, item.unit)),
            item.value,
        )
        for item in packages(protocol).outgoing.findings.measurements
        if item.value is not None
    )
    assert expected
    assert expected == Counter(
        (
            code(group["FindingSite"]) if "FindingSite" in group else None,
            code(group["Laterality"]) if "Laterality" in group else None,
            code(item["quantity"]),
            code(item["units"]),
            float(item["value"]),
        )
        for group in read["Measurements"]
        for item in group["measurementItems"]
    )
    assert (read["CompletionFlag"], read["VerificationFlag"]) == ("PARTIAL", "UNVERIFIED")


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dcmqi_follows_a_measured_segment_into_the_seg(
    packages: Callable[[str], Package], reports: Callable[..., Any], protocol: str, kind: SEGClass
) -> None:
    package = as_class(packages(protocol), kind)
    known = {
        segment_tracking(package, series_id, label): (number, there.sop_instance_uid, there.source_series_uid)
        for series_id, there in segments_of(package).items()
        for label, number in there.numbers.items()
    }
    groups = [group for group in reports(protocol, kind)["Measurements"] if "ReferencedSegment" in group]
    assert groups
    for group in groups:
        tracked = group["TrackingIdentifier"], group["TrackingUniqueIdentifier"]
        assert known[tracked] == (
            group["ReferencedSegment"],
            group["segmentationSOPInstanceUID"],
            group["SourceSeriesForImageSegmentation"],
        )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dcmqi_reads_every_grade(
    packages: Callable[[str], Package], reports: Callable[[str], Any], protocol: str
) -> None:
    groups = {group["TrackingIdentifier"]: group for group in reports(protocol)["Measurements"]}
    grades = packages(protocol).outgoing.findings.grades
    assert grades
    for grade in grades:
        group = groups[grade.id]
        step = (
            code_of(Kind.CONCEPT, "not_assessable") if grade.grade is None else step_code(grade.scale, grade.grade)
        )
        assert code(group["Finding"]) == code(code_of(Kind.CONDITION, grade.condition.value))
        told = [(code(item["conceptCode"]), item["conceptValue"]) for item in group["qualitativeEvaluations"]]
        (found,) = (value for name, value in told if name == code(code_of(Kind.SCALE, grade.scale)))
        assert code(found) == code(step)
        assert group["measurementItems"] == []
