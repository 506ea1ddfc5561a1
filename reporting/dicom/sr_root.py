"""What a structured report leads to, so that it is the root of all objects of its export (IHE AI Results).

The PDF and the key images of the same export hang below the root of the content, in containers whose names the
standard has: *Key Images* (121180, DCM) and *Supplementary Data* (111414, DCM). TID 1500 may be extended. They are
not in the image library (TID 1600), which lists what was measured on. All of them are in the Current Requested
Procedure Evidence Sequence (PS3.3 C.17.2), as they were made for this procedure and the content refers to them.

A report that was signed before names that version as its predecessor (Predecessor Documents Sequence): the one of
the same kind of export. Versions that nobody signed are not named, as nobody knows whether they ever left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from highdicom.sr import (
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
)
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from reporting.codes import report_row
from reporting.dicom.codes import concept_of
from reporting.dicom.common import made_uid
from reporting.dicom.composite import KEY_IMAGE, PDF_REPORT, Kind, instance_uid, series_uid
from reporting.dicom.sr_places import reference_stub
from reporting.export.classes import USUAL, SRClass
from reporting.export.formats import ExportFormat
from reporting.export.key_pictures import count_key_pictures
from reporting.export.package import Package

SUPPLEMENTARY_DATA: CodedConcept = codes.DCM.SupplementaryData
KEY_IMAGES: CodedConcept = codes.DCM.KeyImages
SOP_CLASSES = {
    SRClass.COMPREHENSIVE: ComprehensiveSRStorage,
    SRClass.COMPREHENSIVE_3D: Comprehensive3DSRStorage,
}
_CONTAINS = RelationshipTypeValues.CONTAINS
_PDF, _PICTURES = ExportFormat.DICOM_PDF.value, ExportFormat.KEY_IMAGES.value


@dataclass(frozen=True)
class Companion:
    """An object of the same export that the structured report leads to.

    Attributes:
        kind: What sort of object it is.
        number: Its instance number.
    """

    kind: Kind
    number: int


def companions(package: Package) -> list[Companion]:
    """Return the PDF and the key images that are made in the same export."""
    found = [Companion(PDF_REPORT, 1)] if _PDF in package.beside else []
    if _PICTURES in package.beside:
        found += [Companion(KEY_IMAGE, number + 1) for number in range(count_key_pictures(package))]
    return found


def report_uids(package: Package) -> tuple[str, str]:
    """Return the UIDs of the structured report's series and of itself.

    A report that is made beside other objects, which it leads to, or that is of another class or refers to
    segmentations of another class, is another object and has a UID of its own.
    """
    leads_to = sorted(package.beside & {_PDF, _PICTURES})
    classes = (package.classes.sr, USUAL.sr), (package.classes.seg, USUAL.seg)
    of_class = [asked.value for asked, usual in classes if asked is not usual]
    return made_uid(package, "sr", "series"), made_uid(package, "sr", "instance", *leads_to, *of_class)


def root_items(package: Package) -> list[ContainerContentItem]:
    """Return the containers that lead to the key images and to the PDF; none for what is not made."""
    items: dict[str, list[ContentItem]] = {}
    for item in companions(package):
        items.setdefault(item.kind.name, []).append(_item(package, item))
    names = {KEY_IMAGE.name: KEY_IMAGES, PDF_REPORT.name: SUPPLEMENTARY_DATA}
    return [_container(name, items[kind]) for kind, name in names.items() if kind in items]


def root_evidence(package: Package) -> list[Dataset]:
    """Return references to the PDF and the key images, as evidence."""
    study = _study_uid(package)
    return [
        reference_stub(
            study,
            series_uid(package, item.kind),
            item.kind.sop_class_uid,
            instance_uid(package, item.kind, item.number),
        )
        for item in companions(package)
    ]


def predecessors(package: Package) -> list[Dataset]:
    """Return the reference to the structured report of the version that was signed before, if one was."""
    version = package.outgoing.amended_version
    if version is None:
        return []
    before = replace(package, outgoing=replace(package.outgoing, version=version))
    series, instance = report_uids(before)
    return [reference_stub(_study_uid(package), series, SOP_CLASSES[package.classes.sr], instance)]


def _study_uid(package: Package) -> str:
    return str(next(iter(package.require_source().instances.values())).StudyInstanceUID)


def _item(package: Package, item: Companion) -> ContentItem:
    uid = instance_uid(package, item.kind, item.number)
    if item.kind is KEY_IMAGE:
        return ImageContentItem(
            name=codes.DCM.OfInterest,
            referenced_sop_class_uid=item.kind.sop_class_uid,
            referenced_sop_instance_uid=uid,
            relationship_type=_CONTAINS,
        )
    return CompositeContentItem(
        name=concept_of(report_row(package.outgoing.findings.protocol)),
        referenced_sop_class_uid=item.kind.sop_class_uid,
        referenced_sop_instance_uid=uid,
        relationship_type=_CONTAINS,
    )


def _container(name: CodedConcept, items: Sequence[ContentItem]) -> ContainerContentItem:
    made = ContainerContentItem(name=name, relationship_type=_CONTAINS)
    made.ContentSequence = ContentSequence(items)
    return made
