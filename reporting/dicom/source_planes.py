"""The slices of a series as DICOM planes: what a derived object takes its patient, geometry and references from.

A slice comes from an instance of its own or from a frame of an enhanced one, whose geometry stands in functional
groups, shared or for each frame. highdicom takes series of single frames, or one enhanced object that is a single
stack; scanners write others: orientation told for each frame, several stacks or echoes in one object, one stack in
several objects. So each slice is given as the header of a single frame under a UID of its own, and
``set_references`` puts the true instances and frames in place of these afterwards. Positions are LPS mm, as the
source stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, time

from pydicom import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DA, TM

from reporting.export.package import Source
from runtime.errors import StudyError

_GROUPS = frozenset({0x0008, 0x0010, 0x0012, 0x0020, 0x0028})
"""Of patient, study, frame of reference and pixel grid. Not of acquisition (0018): the distance of slices is found
from their positions, as headers give the gap under the same name."""
_TYPE_2 = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
_SEXES = ("M", "F", "O")


@dataclass(frozen=True, eq=False)
class Plane:
    """A slice of a series.

    Attributes:
        header: As if it were an instance of a single frame; its SOP Instance UID stands in for the true one.
        sop_class_uid: Of the true instance.
        sop_instance_uid: Of the true instance.
        frame: Number from 1 in the true instance; None where that is a single image.
        frames: How many the true instance has.
    """

    header: Dataset
    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None
    frames: int


def series_planes(source: Source, series_id: str) -> list[Plane]:
    """Return the planes of a series in the order of its slices k.

    All have the orientation and pixel spacing of the first, as a derived object states them once; a stack is
    parallel within the tolerance of ``imaging.dicom.stacks``.

    Raises:
        StudyError: If the source is no DICOM, or an instance tells no place or no frame of reference.
    """
    series = source.series(series_id)
    numbers = series.frame_numbers or (1,) * len(series.instance_uids)
    planes = [
        _plane(dataset, number, k, series_id)
        for k, (dataset, number) in enumerate(zip(source.slices(series_id), numbers, strict=True))
    ]
    for plane in planes[1:]:
        plane.header.ImageOrientationPatient = planes[0].header.ImageOrientationPatient
        plane.header.PixelSpacing = planes[0].header.PixelSpacing
    return planes


def set_references(dataset: Dataset, planes: Sequence[Plane]) -> None:
    """Put the true instances and frames in place of those that the headers of planes stand in for.

    Args:
        dataset: Made from ``Plane.header``; changed in place.
        planes: All of them.
    """
    by_uid = {str(plane.header.SOPInstanceUID): plane for plane in planes}
    dataset.SourceImageSequence = _instance_references(planes)
    for series in dataset.ReferencedSeriesSequence:
        series.ReferencedInstanceSequence = _instance_references(planes)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in frame.DerivationImageSequence:
            # The frames of all segments in a slice share their items: new ones, not changed ones.
            derivation.SourceImageSequence = [
                _frame_reference(item, by_uid[str(item.ReferencedSOPInstanceUID)])
                for item in derivation.SourceImageSequence
            ]


def _frame_reference(item: Dataset, plane: Plane) -> Dataset:
    """Return a reference to the true instance and frame of a plane, with all else that an item says of it."""
    made = deepcopy(item)
    made.ReferencedSOPClassUID = plane.sop_class_uid
    made.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if plane.frame is not None:
        made.ReferencedFrameNumber = plane.frame
    return made


def _instance_references(planes: Sequence[Plane]) -> list[Dataset]:
    """Return one reference an instance, with its frames where not all of them are used."""
    by_instance: dict[str, list[Plane]] = {}
    for plane in planes:
        by_instance.setdefault(plane.sop_instance_uid, []).append(plane)
    references = []
    for uid, used in by_instance.items():
        item = Dataset()
        item.ReferencedSOPClassUID = used[0].sop_class_uid
        item.ReferencedSOPInstanceUID = uid
        frames = sorted(plane.frame for plane in used if plane.frame is not None)
        if frames and len(frames) < used[0].frames:
            item.ReferencedFrameNumber = frames
        references.append(item)
    return references


def _plane(dataset: Dataset, number: int, k: int, series_id: str) -> Plane:
    is_enhanced = "PerFrameFunctionalGroupsSequence" in dataset
    header = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - a Dataset iterates over elements
        if tag.group in _GROUPS and not tag.is_private:
            header[tag] = deepcopy(dataset[tag])  # setting a value changes the element that holds it
    _set_geometry(header, dataset, number, series_id, is_enhanced=is_enhanced)
    _set_identity(header)
    header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = f"2.25.{k + 1}"
    return Plane(
        header=header,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        frame=number if is_enhanced else None,
        frames=int(dataset.get("NumberOfFrames", 1) or 1),
    )


def _set_geometry(header: Dataset, dataset: Dataset, number: int, series_id: str, *, is_enhanced: bool) -> None:
    if not header.get("FrameOfReferenceUID"):
        raise StudyError(
            f"series {series_id}: expected a frame of reference in its instances, found none; without it no "
            "object can say where it lies. Export the label map as NIfTI (bids) instead"
        )
    groups = _groups(dataset, number) if is_enhanced else {}
    wanted = {
        "ImagePositionPatient": "PlanePositionSequence",
        "ImageOrientationPatient": "PlaneOrientationSequence",
        "PixelSpacing": "PixelMeasuresSequence",
        "SliceThickness": "PixelMeasuresSequence",
    }
    for keyword, macro in wanted.items():
        value = groups[macro].get(keyword) if macro in groups else dataset.get(keyword)
        if value is None and keyword != "SliceThickness":
            raise StudyError(f"series {series_id}: expected {keyword} in its instances, found none")
        setattr(header, keyword, value)


def _groups(dataset: Dataset, number: int) -> Mapping[str, Dataset]:
    """Return the functional groups of a frame, its own before the shared ones."""
    found: dict[str, Dataset] = {}
    frame = dataset.PerFrameFunctionalGroupsSequence[number - 1]
    for group in (*dataset.get("SharedFunctionalGroupsSequence", [])[:1], frame):
        for element in group:
            if element.VR == "SQ" and element.value:
                found[element.keyword] = element.value[0]
    return found


def _set_identity(header: Dataset) -> None:
    """Empty what is missing or is no value of its kind: highdicom asks for all, and refuses a wrong one."""
    for keyword in _TYPE_2:
        if header.get(keyword) is None:
            setattr(header, keyword, "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        if not _is_readable(header.get(keyword), kind):
            setattr(header, keyword, "")


def _is_readable(value: str | date | time, kind: type[DA] | type[TM]) -> bool:
    try:
        kind(value)
    except ValueError:
        return False
    return True
