"""The bundle: a collection.

A document would need a Composition with an author and a date, and a draft has neither.
"""

from __future__ import annotations

import json

from reporting.export.package import ExportedFile, Package
from reporting.fhir.check import check_bundle
from reporting.fhir.context import Context, FhirVersion, Resource
from reporting.fhir.observations import (
    body_structures,
    burden_observation,
    grade_observation,
    measurement_observation,
)
from reporting.fhir.people import devices, patient, practitioners, provenances
from reporting.fhir.report import diagnostic_report
from reporting.fhir.study import imaging_selections, imaging_study

_MEDIA_TYPE = "application/fhir+json"


def fhir_files(package: Package, *, with_identifiers: bool = False) -> tuple[ExportedFile, ...]:
    """Return a report as a bundle of R4 and one of R5.

    Args:
        package: What is exported.
        with_identifiers: Whether to tell the patient's ID and its issuer, the accession number and the date of the
            study as they stand in the source; never a name or a date of birth. Only for a house's own systems.

    Raises:
        ReportError: If a bundle would not be valid.
        StudyError: If the source cannot be read.
    """
    return tuple(
        ExportedFile(f"fhir/bundle-{version.value}.json", _MEDIA_TYPE, _bytes(package, version, with_identifiers))
        for version in FhirVersion
    )


def build_bundle(package: Package, version: FhirVersion, *, with_identifiers: bool = False) -> Resource:
    """Return the bundle of one version of FHIR as JSON, not checked."""
    context = Context(package, version, with_identifiers)
    outgoing = package.outgoing
    findings = outgoing.findings
    resources = [
        diagnostic_report(context),
        patient(context),
        imaging_study(context),
        *devices(context),
        *practitioners(context),
        *(grade_observation(context, grade) for grade in findings.grades),
        *(measurement_observation(context, item) for item in findings.measurements),
        burden_observation(context),
        *((*body_structures(context), *imaging_selections(context)) if context.is_r5 else ()),
        *provenances(context),
    ]
    return {
        "resourceType": "Bundle",
        "id": context.id("Bundle", str(outgoing.version)),
        "meta": resources[0]["meta"],
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{context.id('Bundle')}"},
        "type": "collection",
        **({} if outgoing.signature is None else {"timestamp": resources[0]["issued"]}),
        "entry": [{"fullUrl": f"urn:uuid:{item['id']}", "resource": item} for item in resources],
    }


def _bytes(package: Package, version: FhirVersion, with_identifiers: bool) -> bytes:
    bundle = build_bundle(package, version, with_identifiers=with_identifiers)
    check_bundle(bundle, version)
    return (json.dumps(bundle, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
