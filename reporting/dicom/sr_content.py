"""The content tree of a structured report: TID 1500 with the report's sentences in it.

State, notice and alert stand first, as text items of the root: the template may be extended. The sentences stand
in the template's own container "Qualitative Evaluations" (TID 1500, whose items may be text), not in a second
object: findings and text cannot come apart, and a sentence names the findings it states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes

from reporting.codes import Kind, code_rows
from reporting.dicom.codes import code_of, concept_of
from reporting.dicom.common import DEVICE_SERIAL, MANUFACTURER, MODEL
from reporting.dicom.sr_groups import grade_groups, measurement_groups
from reporting.dicom.sr_items import clean_text, person_name, text_item
from reporting.dicom.sr_root import root_items
from reporting.export.content import DecisionLine
from reporting.export.package import Package
from reporting.notice import NOTICE
from reporting.types import ReportSection

DEVICE_UID = "2.25.157318942703628591740268317745902836411"
"""UID of SpineScribe as an observer; the software's version stands beside each finding."""

TEXT_CONTAINER = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
TRACKING_IDENTIFIER = CodedConcept("112039", "DCM", "Tracking Identifier")

_SOURCE = CodedConcept("260753009", "SCT", "Source")
_CONTAINS = RelationshipTypeValues.CONTAINS
_ACQUISITION = RelationshipTypeValues.HAS_ACQ_CONTEXT
_FIRST_LINES_BEFORE = (codes.DCM.ImageLibrary, codes.DCM.ImagingMeasurements)


def report_content(package: Package) -> ContentSequence:
    """Return the root of the document, with everything below it.

    Raises:
        StudyError: If there is no source, or it is no DICOM.
    """
    report = MeasurementReport(
        observation_context=_observers(package),
        procedure_reported=_procedures(package),
        imaging_measurements=[*grade_groups(package), *measurement_groups(package)],
    )
    children = list(report[0].ContentSequence)
    at = next(n for n, item in enumerate(children) if item.name in _FIRST_LINES_BEFORE)
    children[at:at] = [*_first_lines(package), _image_library(package)]
    children += [_text(package), *root_items(package)]
    report[0].ContentSequence = ContentSequence(children)
    return report


def _observers(package: Package) -> ObservationContext:
    device = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=DEVICE_UID,
            name=MODEL,
            manufacturer_name=MANUFACTURER,
            model_name=MODEL,
            serial_number=DEVICE_SERIAL,
        ),
    )
    signature = package.outgoing.signature
    if signature is None:
        return ObservationContext(observer_device_context=device)
    person = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=person_name(signature.name)),
    )
    return ObservationContext(observer_person_context=person, observer_device_context=device)


def _procedures(package: Package) -> Sequence[CodedConcept]:
    own = code_rows().get((Kind.PROCEDURE, package.outgoing.findings.protocol))
    return [code_of(Kind.PROCEDURE, "any"), *([concept_of(own)] if own else [])]


def _first_lines(package: Package) -> list[ContentItem]:
    """Return what must be read first: the state, the notice, the alert."""
    outgoing = package.outgoing
    state = outgoing.standing if outgoing.mark is None else f"AI {outgoing.mark}"
    notice = code_of(Kind.CONCEPT, "notice")
    lines = [text_item(code_of(Kind.CONCEPT, "mark"), state), text_item(notice, NOTICE)]
    return lines + _texts(notice, [outgoing.alert or ""])


def _image_library(package: Package) -> ContainerContentItem:
    """Return the source images, a group a series (TID 1600, 1601) with modality and frame of reference.

    The library's own makes entries of classic MR instances with all attributes only.
    """
    series: dict[str, list[Dataset]] = {}
    for instance in package.require_source().instances.values():
        series.setdefault(str(instance.SeriesInstanceUID), []).append(instance)
    library = ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=_CONTAINS, template_id="1600")
    library.ContentSequence = ContentSequence([_library_group(items) for items in series.values()])
    return library


def _library_group(instances: Sequence[Dataset]) -> ContainerContentItem:
    first = instances[0]
    items: list[ContentItem] = [CodeContentItem(codes.DCM.Modality, codes.DCM.MagneticResonance, _ACQUISITION)]
    frame = str(first.get("FrameOfReferenceUID", "") or "")
    if frame:
        items.append(UIDRefContentItem(codes.DCM.FrameOfReferenceUID, frame, _ACQUISITION))
    items += [
        ImageContentItem(
            name=_SOURCE,
            referenced_sop_class_uid=str(instance.SOPClassUID),
            referenced_sop_instance_uid=str(instance.SOPInstanceUID),
            relationship_type=_CONTAINS,
        )
        for instance in instances
    ]
    group = ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence(items)
    return group


def _text(package: Package) -> ContainerContentItem:
    """Return the sentences by section, then decisions and notices."""
    outgoing = package.outgoing
    items: list[ContentItem] = []
    for section in outgoing.report.sections:
        items += _sentences(section)
    items += _texts(code_of(Kind.CONCEPT, "decision"), map(_decision, outgoing.decisions))
    items += _texts(code_of(Kind.CONCEPT, "notice"), outgoing.notices)
    container = ContainerContentItem(name=TEXT_CONTAINER, relationship_type=_CONTAINS)
    container.ContentSequence = ContentSequence(items or _first_lines(package)[:1])
    return container


def _sentences(section: ReportSection) -> Iterator[ContentItem]:
    """Yield a text item a sentence; the ids of the findings it states are what it is inferred from."""
    row = code_rows().get((Kind.SECTION, section.name))
    heading = codes.DCM.Comment if row is None else concept_of(row)
    for sentence in section.sentences:
        if not clean_text(sentence.text):
            continue
        item = text_item(heading, sentence.text)
        if sentence.finding_ids:
            item.ContentSequence = ContentSequence(
                [
                    text_item(TRACKING_IDENTIFIER, name, RelationshipTypeValues.INFERRED_FROM)
                    for name in sentence.finding_ids
                ]
            )
        yield item


def _texts(name: CodedConcept, texts: Iterable[str]) -> list[ContentItem]:
    return [text_item(name, text) for text in texts if clean_text(text)]


def _decision(line: DecisionLine) -> str:
    return f"{line.what}: the machine {line.machine}; {line.verdict} ({line.at})."
