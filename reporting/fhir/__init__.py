"""A report as FHIR: a bundle of R4 and one of R5, and the way back to findings.

A bundle holds a DiagnosticReport with an Observation for each grade and each measurement, the ImagingStudy, the
Devices (SpineScribe and its models by checksum) and who signed and decided. The patient in it has no identity:
FHIR travels over HTTP to systems that we do not know, and whoever receives it matches the study by its key or its
DICOM UIDs.
"""

from reporting.fhir.bundle import build_bundle, fhir_files
from reporting.fhir.check import check_bundle
from reporting.fhir.context import FhirVersion
from reporting.fhir.reading import ReadBundle, read_bundle

__all__ = ["FhirVersion", "ReadBundle", "build_bundle", "check_bundle", "fhir_files", "read_bundle"]
