"""A report as a DICOM structured report with TID 1500, its state in the header and in the text.

Comprehensive SR unless asked otherwise: boxes are drawn on source instances, nothing needs coordinates in space,
and more archives and viewers take it. Comprehensive 3D SR, which IHE AI Results names, holds the same. A draft is
PARTIAL, PRELIMINARY and UNVERIFIED; only a signed report is COMPLETE, FINAL and VERIFIED, by who signed it.
"""

from __future__ import annotations

from highdicom.sr import Comprehensive3DSR, ComprehensiveSR, ContentSequence

from reporting.dicom.codes import scheme_item
from reporting.dicom.common import (
    SERIES_NUMBERS,
    date_by,
    description_of,
    equipment,
    software_version,
    to_bytes,
)
from reporting.dicom.sr_content import report_content
from reporting.dicom.sr_items import person_name
from reporting.dicom.sr_places import evidence_stubs
from reporting.dicom.sr_root import predecessors, report_uids, root_evidence
from reporting.export.classes import SRClass
from reporting.export.package import ExportedFile, Package

Structured = ComprehensiveSR | Comprehensive3DSR
_CLASSES: dict[SRClass, type[Structured]] = {
    SRClass.COMPREHENSIVE: ComprehensiveSR,
    SRClass.COMPREHENSIVE_3D: Comprehensive3DSR,
}
ORGANIZATION = "Not stated"
"""Organisation of who signed: a signature says a name and a time, and the scanner's institution may be another."""


def sr_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the structured report.

    Raises:
        StudyError: If there is no source, or it is no DICOM.
    """
    return (ExportedFile("sr/report.dcm", "application/dicom", to_bytes(build_report(package))),)


def build_report(package: Package) -> Structured:
    """Return the structured report as a data set.

    Raises:
        StudyError: If there is no source, or it is no DICOM.
    """
    signature = package.outgoing.signature
    is_signed = package.outgoing.mark is None and signature is not None
    root = report_content(package)[0]
    tree = root.ContentSequence
    # The library copies and parses what it is given several times over (seconds for a study): the tree follows.
    root.ContentSequence = ContentSequence(tree[:1])
    series_uid, instance_uid = report_uids(package)
    report = _CLASSES[package.classes.sr](
        evidence=[*evidence_stubs(package), *root_evidence(package)],
        content=root,
        series_instance_uid=series_uid,
        series_number=SERIES_NUMBERS.structured,
        sop_instance_uid=instance_uid,
        instance_number=1,
        is_complete=is_signed,
        is_final=is_signed,
        is_verified=is_signed,
        verifying_observer_name=person_name(signature.name) if signature and is_signed else None,
        verifying_organization=ORGANIZATION if is_signed else None,
        previous_versions=predecessors(package) or None,
        specific_character_set="ISO_IR 192",
        series_description=description_of(package, "findings"),
        software_versions=software_version(package),
        **equipment(),
    )
    report.ContentSequence = tree
    first = next(iter(package.require_source().instances.values()))
    report.copy_patient_and_study_information(first)
    report.CodingSchemeIdentificationSequence = [scheme_item()]
    date_by(report, package)
    if signature is not None and is_signed:
        report.VerifyingObserverSequence[0].VerificationDateTime = signature.at.strftime("%Y%m%d%H%M%S%z")
    return report
