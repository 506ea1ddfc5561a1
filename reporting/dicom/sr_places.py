"""Where a statement of a structured report lies: source instance, box in its own pixels, segment of the SEG.

Frames. Boxes come in pixels of slice k of our (I, J, K) volumes, whole numbers at pixel centres. They leave as
SCOORD of the source instance: (column, row) as the file stores them, 0\\0 at the outer corner of the first pixel
(PS3.3 C.18.6.1.2), so half a pixel is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from highdicom.sr import (
    GraphicTypeValues,
    ImageRegion,
    ReferencedSegment,
    SourceImageForMeasurement,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
)
from numpy.typing import NDArray
from pydicom import Dataset

from anatomy import DISC_LEVELS, VERTEBRAE, Side, disc_label, vertebra_label
from grading.types import Evidence
from imaging.geometry import axes_matrix
from imaging.types import Series
from reporting.dicom.segmentation import SOP_CLASSES, segment_numbers, segmentation_uids
from reporting.export.package import Package, Source

CANAL, CORD = 100, 101
JOINT = {Side.LEFT: 53, Side.RIGHT: 54}
"""Label numbers of ``anatomy/codes.csv``."""


@dataclass(frozen=True)
class Segments:
    """Segments of the SEG of one series.

    Attributes:
        sop_class_uid: Of the SEG.
        sop_instance_uid: Of the SEG.
        series_instance_uid: Of the SEG's own series.
        source_series_uid: Of the series it lies on.
        numbers: Label number -> segment number.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    source_series_uid: str
    numbers: Mapping[int, int]


def source_box(series: Series, slice_index: int, box_px: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return the outline of a box in pixels of the source instance.

    Args:
        series: The series the box lies on.
        slice_index: Slice k.
        box_px: (x0, y0, x1, y1) in pixels of slice k of ``series.volume``.

    Returns:
        (5, 2) (column, row) of the corners, the first one again at the end, clipped to the image.
    """
    x0, y0, x1, y1 = box_px
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    ours = np.array([(x, y, slice_index, 1.0) for x, y in corners])
    volume = series.volume
    theirs = (axes_matrix(volume.source_shape, volume.source_axes) @ ours.T).T[:, :2] + 0.5
    return np.asarray(np.clip(theirs, 0.0, volume.source_shape[:2]), dtype=np.float64)


def region_of(source: Source, evidence: Evidence) -> ImageRegion:
    """Return the box of an evidence on its source instance."""
    series = source.series(evidence.series_id)
    instance, frames = _instance_at(source, evidence.series_id, evidence.slice_index)
    image = SourceImageForRegion(str(instance.SOPClassUID), str(instance.SOPInstanceUID), frames)
    outline = source_box(series, evidence.slice_index, evidence.box_px)
    return ImageRegion(GraphicTypeValues.POLYLINE, outline, image)


def image_of(source: Source, series_id: str, slice_index: int) -> SourceImageForMeasurement:
    """Return the reference to the slice that something was measured on."""
    instance, frames = _instance_at(source, series_id, slice_index)
    return SourceImageForMeasurement(str(instance.SOPClassUID), str(instance.SOPInstanceUID), frames)


def segments_of(package: Package) -> dict[str, Segments]:
    """Return the segments that the export's SEG objects hold: series id -> segments."""
    source = package.require_source()
    found = {}
    for series_id in package.label_maps:
        if numbers := segment_numbers(package, series_id):
            series_uid, instance_uid = segmentation_uids(package, series_id)
            found[series_id] = Segments(
                sop_class_uid=SOP_CLASSES[package.classes.seg],
                sop_instance_uid=instance_uid,
                series_instance_uid=series_uid,
                source_series_uid=str(source.series(series_id).series_instance_uid),
                numbers=numbers,
            )
    return found


def label_of(structure: str, level: str | None, side: Side | None) -> int | None:
    """Return the label number of what was measured; None where no one structure of the label map is meant."""
    if structure == "disc" and level in DISC_LEVELS:
        return disc_label(level)
    if structure == "vertebra" and level in VERTEBRAE:
        return vertebra_label(level)
    if structure == "joint" and side is not None:
        return JOINT[side]
    return {"canal": CANAL, "cord": CORD}.get(structure)


def referenced_segment(segments: Segments, label: int) -> ReferencedSegment:
    """Return the reference to the segment of a label that occurs."""
    return ReferencedSegment(
        sop_class_uid=segments.sop_class_uid,
        sop_instance_uid=segments.sop_instance_uid,
        segment_number=segments.numbers[label],
        source_series=SourceSeriesForSegmentation(segments.source_series_uid),
    )


def reference_stub(study_uid: str, series_uid: str, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return what names an instance as evidence, with an empty patient.

    An object takes its patient from the first of them; empty values keep identity out of a library's warnings. The
    patient is copied afterwards.
    """
    stub = Dataset()
    stub.StudyInstanceUID, stub.SeriesInstanceUID = study_uid, series_uid
    stub.SOPClassUID, stub.SOPInstanceUID = sop_class_uid, sop_instance_uid
    stub.PatientID = stub.PatientName = stub.PatientBirthDate = stub.PatientSex = ""
    stub.AccessionNumber = stub.StudyID = stub.StudyDate = stub.StudyTime = ""
    return stub


def evidence_stubs(package: Package) -> list[Dataset]:
    """Return references to all source instances, then to the SEG objects of the export."""
    instances = list(package.require_source().instances.values())
    stubs = [
        reference_stub(
            str(item.StudyInstanceUID),
            str(item.SeriesInstanceUID),
            str(item.SOPClassUID),
            str(item.SOPInstanceUID),
        )
        for item in instances
    ]
    study = str(instances[0].StudyInstanceUID)
    stubs += [
        reference_stub(study, item.series_instance_uid, item.sop_class_uid, item.sop_instance_uid)
        for item in segments_of(package).values()
    ]
    return stubs


def _instance_at(source: Source, series_id: str, slice_index: int) -> tuple[Dataset, list[int] | None]:
    series = source.series(series_id)
    frames = [series.frame_numbers[slice_index]] if series.frame_numbers else None
    return source.instances[series.instance_uids[slice_index]], frames
