"""Read a structured report of ours back: its state, its sentences, its grades and measurements.

Codes become our names again by ``codes.csv``. What the table does not know is refused: nothing is half understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from highdicom.sr.coding import CodedConcept
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from anatomy import SCALES, Condition, Side
from grading.types import GradeStatus
from reporting.codes import Kind, Pair, name_of
from reporting.dicom.codes import code_of
from reporting.dicom.sr_content import TEXT_CONTAINER, TRACKING_IDENTIFIER
from reporting.dicom.sr_root import KEY_IMAGES, SUPPLEMENTARY_DATA
from runtime.errors import ReportError

Concept = Code | CodedConcept
_SEGMENT = CodedConcept("121191", "DCM", "Referenced Segment")


@dataclass(frozen=True)
class ReadGrade:
    """A grade as a structured report holds it; fields as of ``grading.types.Grade``.

    Attributes:
        instance_uid: Source instance of the box; None without evidence.
        frame: Frame number of a multi-frame instance, from 1; else None.
        box: (column0, row0, column1, row1) as SCOORD of that instance, 0 at the outer corner of the first pixel.
    """

    id: str
    level: str | None
    side: Side | None
    condition: Condition
    scale: str
    grade: str | None
    probabilities: dict[str, float]
    prediction_set: tuple[str, ...]
    status: GradeStatus
    reason: str | None
    measurement_ids: tuple[str, ...]
    instance_uid: str | None
    frame: int | None
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class ReadMeasurement:
    """A measurement as a structured report holds it; fields as of ``segmentation.types.Measurement``.

    Attributes:
        unit: None when there is no value.
        instance_uid: Source instance it was measured on; None when it is no single one.
        segment: SOP Instance UID and segment number of the SEG it rests on; None without one.
    """

    id: str
    name: str
    level: str | None
    side: Side | None
    value: float | None
    unit: str | None
    method: str
    reason: str | None
    instance_uid: str | None
    segment: tuple[str, int] | None


@dataclass(frozen=True)
class ReadSentence:
    """A sentence: its section, its words, the findings it states."""

    section: str
    text: str
    finding_ids: tuple[str, ...]


@dataclass(frozen=True)
class ReadReport:
    """A structured report of ours.

    Attributes:
        completion: ``PARTIAL`` or ``COMPLETE``.
        verification: ``UNVERIFIED`` or ``VERIFIED``.
        preliminary: ``PRELIMINARY`` or ``FINAL``.
        mark: State of the report in words.
        notices: Notices, the fixed one first.
        sentences: In order.
        grades: In the order of Findings.
        measurements: By place.
        key_images: SOP Instance UIDs of the key images it leads to.
        documents: SOP Instance UIDs of the PDF it leads to.
        predecessors: SOP Instance UIDs of the signed reports it takes the place of.
    """

    completion: str
    verification: str
    preliminary: str
    mark: str
    notices: tuple[str, ...]
    sentences: tuple[ReadSentence, ...]
    grades: tuple[ReadGrade, ...]
    measurements: tuple[ReadMeasurement, ...]
    key_images: tuple[str, ...]
    documents: tuple[str, ...]
    predecessors: tuple[str, ...]


def read_report(content: bytes) -> ReadReport:
    """Read a structured report of ours.

    Raises:
        ReportError: If it is no structured report with measurements, or holds a code we do not know.
    """
    document = dcmread(BytesIO(content), force=True)
    groups = [
        group
        for container in _children(document, codes.DCM.ImagingMeasurements)
        for group in _children(container, codes.DCM.MeasurementGroup)
    ]
    if not groups:
        raise ReportError("expected a structured report of SpineScribe (TID 1500), found no measurement group")
    kinds = [(group, next(_children(group, codes.DCM.Finding), None) is not None) for group in groups]
    text = [item for container in _children(document, TEXT_CONTAINER) for item in container.ContentSequence]
    notice = code_of(Kind.CONCEPT, "notice")
    return ReadReport(
        completion=str(document.CompletionFlag),
        verification=str(document.VerificationFlag),
        preliminary=str(document.PreliminaryFlag),
        mark=" ".join(_texts(document, "mark")),
        notices=tuple(_words(item) for item in [*_children(document, notice), *text] if _is(item, notice)),
        sentences=tuple(_sentences(text)),
        grades=tuple(_grade(group) for group, has_finding in kinds if has_finding),
        measurements=tuple(
            item for group, has_finding in kinds if not has_finding for item in _measurements(group)
        ),
        key_images=_led_to(document, KEY_IMAGES),
        documents=_led_to(document, SUPPLEMENTARY_DATA),
        predecessors=tuple(_predecessors(document)),
    )


def _led_to(document: Dataset, name: Concept) -> tuple[str, ...]:
    containers = _children(document, name)
    return tuple(_referenced(item) for container in containers for item in container.ContentSequence)


def _predecessors(document: Dataset) -> Iterator[str]:
    for study in document.get("PredecessorDocumentsSequence", ()):
        for series in study.ReferencedSeriesSequence:
            yield from (str(item.ReferencedSOPInstanceUID) for item in series.ReferencedSOPSequence)


def _grade(group: Dataset) -> ReadGrade:
    level, side = _place(group)
    scale, grade, evaluation = _evaluation(group)
    step_of = {f"{scale}/{step}": step for step in SCALES[scale].grades}
    chosen = [
        step_of[_named(Kind.STEP, _value(item), step_of)]
        for item in _children(evaluation, code_of(Kind.CONCEPT, "prediction_set"))
    ]
    region = next(_children(group, codes.DCM.ImageRegion), None)
    instance_uid, frame, box = (None, None, None) if region is None else _region(region)
    reason = next(_texts(group, "reason"), None)
    return ReadGrade(
        id=_tracking_id(group),
        level=level,
        side=side,
        condition=Condition(_named(Kind.CONDITION, _value(next(_children(group, codes.DCM.Finding))))),
        scale=scale,
        grade=grade,
        probabilities={
            step_of[_named(Kind.PROBABILITY, _name(item), step_of)]: _number(item)
            for item in _of_type(evaluation, "NUM")
        },
        prediction_set=tuple(chosen),
        status=GradeStatus.NOT_ASSESSABLE if grade is None else GradeStatus.GRADED,
        reason=reason,
        measurement_ids=tuple(_texts(group, "rests_on")),
        instance_uid=instance_uid,
        frame=frame,
        box=box,
    )


def _evaluation(group: Dataset) -> tuple[str, str | None, Dataset]:
    """Return the scale, its step (None for not assessable) and the item that says so."""
    for item in _of_type(group, "CODE"):
        scale = name_of(Kind.SCALE, _name(item))
        if scale is None:
            continue
        if _value(item) == _pair(code_of(Kind.CONCEPT, "not_assessable")):
            return scale, None, item
        steps = {f"{scale}/{step}": step for step in SCALES[scale].grades}
        return scale, steps[_named(Kind.STEP, _value(item), steps)], item
    raise ReportError("structured report: expected a scale and its step in a group with a finding, found none")


def _measurements(group: Dataset) -> Iterator[ReadMeasurement]:
    level, side = _place(group)
    segment = next(_children(group, _SEGMENT), None)
    for item in group.ContentSequence:
        name = name_of(Kind.MEASUREMENT, _name(item))
        if name is None:
            continue
        is_number = item.ValueType == "NUM"
        image = next(_of_type(item, "IMAGE"), None)
        yield ReadMeasurement(
            id=_tracking_id(item),
            name=name,
            level=level,
            side=side,
            value=_number(item) if is_number else None,
            unit=_unit(item) if is_number else None,
            method=next(_texts(item, "method"), ""),
            reason=next(_texts(item, "reason"), None),
            instance_uid=None if image is None else _referenced(image),
            segment=None
            if segment is None
            else (_referenced(segment), int(segment.ReferencedSOPSequence[0].ReferencedSegmentNumber)),
        )


def _sentences(items: Iterable[Dataset]) -> Iterator[ReadSentence]:
    for item in items:
        section = name_of(Kind.SECTION, _name(item))
        if section is not None:
            ids = tuple(_words(child) for child in _children(item, TRACKING_IDENTIFIER))
            yield ReadSentence(section, _words(item), ids)


def _place(group: Dataset) -> tuple[str | None, Side | None]:
    site = next(_children(group, codes.SCT.FindingSite), None)
    if site is None:
        return None, None
    side = next(_children(site, code_of(Kind.CONCEPT, "laterality")), None)
    found = None if side is None else Side(_named(Kind.SIDE, _value(side)))
    return _named(Kind.LEVEL, _value(site)), found


def _region(region: Dataset) -> tuple[str, int | None, tuple[float, float, float, float]]:
    image = next(_of_type(region, "IMAGE"), None)
    if image is None:
        raise ReportError("structured report: expected the source image of a region, found none")
    columns, rows = region.GraphicData[::2], region.GraphicData[1::2]
    frame = image.ReferencedSOPSequence[0].get("ReferencedFrameNumber")
    box = (float(min(columns)), float(min(rows)), float(max(columns)), float(max(rows)))
    return _referenced(image), None if frame is None else int(frame), box


def _named(kind: Kind, code: Pair, among: Iterable[str] | None = None) -> str:
    name = name_of(kind, code, among)
    if name is None:
        raise ReportError(f"structured report: expected the code of a {kind.value}, found ({', '.join(code)})")
    return name


def _children(item: Dataset, name: Concept) -> Iterator[Dataset]:
    return (child for child in item.get("ContentSequence", ()) if _is(child, name))


def _of_type(item: Dataset, value_type: str) -> Iterator[Dataset]:
    return (child for child in item.get("ContentSequence", ()) if child.ValueType == value_type)


def _texts(item: Dataset, concept: str) -> Iterator[str]:
    return (_words(child) for child in _children(item, code_of(Kind.CONCEPT, concept)))


def _is(item: Dataset, name: Concept) -> bool:
    return _name(item) == _pair(name)


def _name(item: Dataset) -> Pair:
    return _read_pair(item.get("ConceptNameCodeSequence"))


def _value(item: Dataset) -> Pair:
    return _read_pair(item.get("ConceptCodeSequence"))


def _pair(code: Concept) -> Pair:
    return str(code.value), str(code.scheme_designator)


def _read_pair(sequence: Sequence[Dataset] | None) -> Pair:
    if not sequence:
        return "", ""
    return str(sequence[0].get("CodeValue", "")), str(sequence[0].get("CodingSchemeDesignator", ""))


def _words(item: Dataset) -> str:
    return str(item.TextValue).replace("\r\n", "\n")


def _tracking_id(item: Dataset) -> str:
    found = next(_children(item, TRACKING_IDENTIFIER), None)
    if found is None:
        raise ReportError("structured report: expected a tracking identifier beside each statement, found none")
    return _words(found)


def _number(item: Dataset) -> float:
    measured = item.MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue))


def _unit(item: Dataset) -> str:
    unit = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    return _named(Kind.UNIT, _read_pair([unit]))


def _referenced(item: Dataset) -> str:
    return str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
