"""Label maps as DICOM SEG: one object a series, on the very planes and pixels of its source instances.

BINARY is what leaves by default: every reader of SEG knows it, and so does every archive. LABELMAP (PS3.3 A.51,
Label Map Segmentation Storage, in the standard since 2024) holds each pixel once instead of one frame a structure,
but archives, viewers and validators older than it refuse its SOP class; ``Package.classes`` asks for it. Its
segment numbers are the label numbers of ``anatomy/codes.csv``; those of BINARY must count from 1, and follow the
order of labels.

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
from pydicom.uid import SegmentationStorage

from anatomy import Side
from anatomy.structures import LabelCode, label_codes
from imaging.dicom.sop_classes import LABEL_MAP_SEGMENTATION
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
from reporting.export.classes import SEGClass
from reporting.export.package import ExportedFile, Package
from reporting.slice_picture import structure_colours
from runtime.errors import StudyError

SOP_CLASSES = {
    SEGClass.BINARY: SegmentationStorage,
    SEGClass.LABELMAP: LABEL_MAP_SEGMENTATION,
}
_TYPES = {SEGClass.BINARY: SegmentationTypeValues.BINARY, SEGClass.LABELMAP: SegmentationTypeValues.LABELMAP}
_NAMES = {SEGClass.BINARY: "instance", SEGClass.LABELMAP: "labelmap"}
_SERIES_NAMES = {SEGClass.BINARY: "series", SEGClass.LABELMAP: "labelmap-series"}
_FOLDERS = {SEGClass.BINARY: "seg", SEGClass.LABELMAP: "seg-labelmap"}
_SIDES = {Side.LEFT: codes.SCT.Left, Side.RIGHT: codes.SCT.Right}
_LABELMAP_NUMBERS = 50  # series numbers of LABELMAP objects lie this far above those of BINARY ones


def seg_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return one SEG for each series that has a label map.

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
    folder = _FOLDERS[package.classes.seg]
    return tuple(
        ExportedFile(
            f"{folder}/{series_id}.dcm", "application/dicom", to_bytes(build_segmentation(package, series_id))
        )
        for series_id in labelled
    )


def segment_numbers(package: Package, series_id: str) -> dict[int, int]:
    """Return label -> segment number of the labels that occur: itself, or from 1 in their order (BINARY)."""
    present = [int(label) for label in np.unique(package.label_maps[series_id]) if label != 0]
    if package.classes.seg is SEGClass.LABELMAP:
        return {label: label for label in present}
    return {label: number for number, label in enumerate(present, start=1)}


def segmentation_uids(package: Package, series_id: str) -> tuple[str, str]:
    """Return the UIDs of the SEG's own series and of itself."""
    kind = package.classes.seg
    return (
        made_uid(package, "seg", series_id, _SERIES_NAMES[kind]),
        made_uid(package, "seg", series_id, _NAMES[kind]),
    )


def build_segmentation(package: Package, series_id: str) -> Segmentation:
    """Return the SEG of one series.

    Args:
        package: What is exported; its label map of the series has a labelled voxel.
        series_id: As in reading.json.

    Raises:
        StudyError: If the source is no DICOM, or its instances tell no place.
    """
    source = package.require_source()
    labels, kind = package.label_maps[series_id], package.classes.seg
    numbers = segment_numbers(package, series_id)
    series_uid, instance_uid = segmentation_uids(package, series_id)
    planes = series_planes(source, series_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that the source instances hold: patient's names and the like
        made = Segmentation(
            source_images=[plane.header for plane in planes],
            pixel_array=_source_pixels(labels, numbers, source.series(series_id).volume.source_axes),
            segmentation_type=_TYPES[kind],
            segment_descriptions=[_segment(package, series_id, label, numbers[label]) for label in numbers],
            series_instance_uid=series_uid,
            series_number=_series_number(package, series_id),
            sop_instance_uid=instance_uid,
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


def _series_number(package: Package, series_id: str) -> int:
    index = list(package.label_maps).index(series_id)
    return (
        SERIES_NUMBERS.segmentation
        + index
        + (_LABELMAP_NUMBERS if package.classes.seg is SEGClass.LABELMAP else 0)
    )


def _set_dimension_uid(dataset: Dataset, uid: str) -> None:
    """Replace the UID of the dimensions, which highdicom makes at random."""
    items: Sequence[Dataset] = (*dataset.DimensionOrganizationSequence, *dataset.get("DimensionIndexSequence", ()))
    for item in items:
        item.DimensionOrganizationUID = uid
