"""Label maps as DICOM SEG: one object a series, on the very planes and pixels of its source instances.

BINARY is what leaves by default: every reader of SEG knows it, and so does every archive. LABELMAP (PS3.3 A.51,
Label Map Segmentation Storage, in the standard since 2024) holds each pixel once instead of one frame a structure,
but archives, viewers and validators older than it refuse its SOP class; ``kind`` asks for it. Its segment numbers
are the label numbers of ``anatomy/codes.csv``; those of BINARY must count from 1, and follow the order of labels.

Each segment has the colour that it has in our own pictures: viewers that find none give all segments one colour.
Frames without any structure are left out, as the standard allows. Nothing is resampled: what our storage order
swapped or flipped is turned back.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr.coding import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

from anatomy import Side
from anatomy.structures import LabelCode, label_codes
from imaging.geometry import undo_axes
from reporting.dicom.common import (
    SERIES_NUMBERS,
    algorithm_of,
    date_by,
    description_of,
    equipment,
    made_uid,
    private_code,
    segment_tracking,
    software_version,
    to_bytes,
)
from reporting.dicom.source_planes import series_planes, set_references
from reporting.export.package import ExportedFile, Package
from reporting.slice_picture import structure_colours
from runtime.errors import StudyError

BINARY, LABELMAP = SegmentationTypeValues.BINARY, SegmentationTypeValues.LABELMAP
_NAMES = {BINARY: "instance", LABELMAP: "labelmap"}
_SIDES = {Side.LEFT: codes.SCT.Left, Side.RIGHT: codes.SCT.Right}
_LABELMAP_NUMBERS = 50  # series numbers of LABELMAP objects lie this far above those of BINARY ones


def seg_files(package: Package, *, kind: SegmentationTypeValues = BINARY) -> tuple[ExportedFile, ...]:
    """Return one SEG for each series that has a label map.

    Args:
        package: What is exported.
        kind: ``BINARY`` or ``LABELMAP``.

    Raises:
        StudyError: If there is no source, it is no DICOM, or no series has a labelled voxel.
    """
    package.require_source().require_dicom()
    labelled = [series_id for series_id, labels in package.label_maps.items() if labels.any()]
    if not labelled:
        raise StudyError(
            "a segmentation needs a label map; the reading has none: nothing was segmented, or its label_map "
            "files are missing beside reading.json"
        )
    folder = "seg" if kind is BINARY else "seg-labelmap"
    return tuple(
        ExportedFile(
            f"{folder}/{series_id}.dcm",
            "application/dicom",
            to_bytes(build_segmentation(package, series_id, kind=kind)),
        )
        for series_id in labelled
    )


def segment_numbers(labels: NDArray[np.uint8]) -> dict[int, int]:
    """Return label -> segment number of the BINARY object: from 1, in the order of the labels that occur."""
    present = (int(label) for label in np.unique(labels) if label != 0)
    return {label: number for number, label in enumerate(present, start=1)}


def build_segmentation(package: Package, series_id: str, *, kind: SegmentationTypeValues = BINARY) -> Segmentation:
    """Return the SEG of one series.

    Args:
        package: What is exported; its label map of the series has a labelled voxel.
        series_id: As in reading.json.
        kind: ``BINARY`` or ``LABELMAP``.

    Raises:
        StudyError: If the source is no DICOM, or its instances tell no place.
    """
    source = package.require_source()
    labels = package.label_maps[series_id]
    numbers = segment_numbers(labels) if kind is BINARY else {label: label for label in segment_numbers(labels)}
    planes = series_planes(source, series_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that the source instances hold: patient's names and the like
        made = Segmentation(
            source_images=[plane.header for plane in planes],
            pixel_array=_source_pixels(labels, numbers, source.series(series_id).volume.source_axes),
            segmentation_type=kind,
            segment_descriptions=[_segment(package, series_id, label, numbers[label]) for label in numbers],
            series_instance_uid=made_uid(package, "seg", series_id, _series_name(kind)),
            series_number=_series_number(package, series_id, kind),
            sop_instance_uid=made_uid(package, "seg", series_id, _NAMES[kind]),
            instance_number=1,
            software_versions=software_version(package),
            content_label="AI_DRAFT" if package.outgoing.mark else "AI_SEGMENTATION",
            content_description=description_of(package, "segmentation"),
            series_description=description_of(package, "segmentation"),
            omit_empty_frames=True,
            **equipment(),
        )
        made.ContentCreatorName = ""  # type 2 (PS3.3 table 10-12), and highdicom leaves it out: no person made it
        date_by(made, package)
        set_references(made, planes)
        _set_dimension_uid(made, made_uid(package, "seg", series_id, _NAMES[kind], "dimensions"))
    return made


def _source_pixels(
    labels: NDArray[np.uint8],
    numbers: Mapping[int, int],
    axes: tuple[tuple[int, bool], tuple[int, bool], tuple[int, bool]],
) -> NDArray[np.uint8]:
    """Return segment numbers as (slices, rows, columns) of the source instances.

    Args:
        labels: (I, J, K) in our storage order.
        numbers: Label -> segment number.
        axes: ``Volume.source_axes``; slices are never reordered.
    """
    table = np.zeros(256, dtype=np.uint8)
    for label, number in numbers.items():
        table[label] = number
    return np.ascontiguousarray(table[undo_axes(labels, axes)].transpose(2, 1, 0))


def _segment(package: Package, series_id: str, label: int, number: int) -> SegmentDescription:
    code = label_codes()[label]
    identifier, uid = segment_tracking(package, series_id, label)
    made = SegmentDescription(
        segment_number=number,
        segment_label=code.name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=_type_code(code),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm_of(package),
        tracking_uid=uid,
        tracking_id=identifier,
        display_color=CIELabColor.from_rgb(*structure_colours()[label]),
    )
    if code.side is not None:
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            CodedConcept.from_code(_SIDES[code.side])
        ]
    return made


def _type_code(code: LabelCode) -> CodedConcept:
    if not code.snomed_ct:
        return private_code(f"LABEL_{code.label}", code.name)
    return CodedConcept(value=code.snomed_ct, scheme_designator="SCT", meaning=code.snomed_meaning)


def _series_name(kind: SegmentationTypeValues) -> str:
    return "series" if kind is BINARY else "labelmap-series"


def _series_number(package: Package, series_id: str, kind: SegmentationTypeValues) -> int:
    index = list(package.label_maps).index(series_id)
    return SERIES_NUMBERS.segmentation + index + (0 if kind is BINARY else _LABELMAP_NUMBERS)


def _set_dimension_uid(dataset: Dataset, uid: str) -> None:
    """Replace the UID of the dimensions, which highdicom makes at random."""
    items: Sequence[Dataset] = (*dataset.DimensionOrganizationSequence, *dataset.get("DimensionIndexSequence", ()))
    for item in items:
        item.DimensionOrganizationUID = uid
