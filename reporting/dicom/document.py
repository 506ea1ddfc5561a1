"""The PDF of a report as DICOM (Encapsulated PDF Storage), which an archive keeps beside the images."""

from __future__ import annotations

from pydicom import Dataset

from reporting.codes import report_row
from reporting.dicom.codes import concept_of
from reporting.dicom.common import to_bytes
from reporting.dicom.composite import PDF_REPORT, new_object, reference_to
from reporting.export.key_pictures import KeyPicture, key_pictures
from reporting.export.package import ExportedFile, Package, Source
from reporting.export.pdf import to_pdf

_MEDIA_TYPE = "application/dicom"


def dicom_pdf_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as an Encapsulated PDF.

    Raises:
        StudyError: If the study was not given, or is no DICOM.
    """
    source = package.require_source()
    source.require_dicom()
    return (ExportedFile("dicom-pdf/report.dcm", _MEDIA_TYPE, to_bytes(_document(package, source))),)


def _document(package: Package, source: Source) -> Dataset:
    pictures = key_pictures(package)
    made = new_object(package, PDF_REPORT, next(iter(source.instances.values())))
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = None  # the report draws on several series, each with its own time
    made.BurnedInAnnotation = _burned_in(source, pictures)
    made.SourceInstanceSequence = [reference_to(item) for item in source.instances.values()]
    made.DocumentTitle = _title(package)
    made.ConceptNameCodeSequence = [concept_of(report_row(package.outgoing.findings.protocol))]
    made.VerificationFlag = "UNVERIFIED" if package.outgoing.signature is None else "VERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = to_pdf(package.outgoing, pictures)
    made.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    made.EncapsulatedDocumentLength = len(content)
    return made


def _title(package: Package) -> str:
    outgoing = package.outgoing
    return f"{outgoing.title} - {outgoing.status.value if outgoing.mark is None else f'AI {outgoing.mark}'}"


def _burned_in(source: Source, pictures: tuple[KeyPicture, ...]) -> str:
    """Return whether the PDF may name the patient: its text does not, a slice does where its source says so."""
    shown = (source.slices(item.series_id)[item.slice_index] for item in pictures)
    return "YES" if any(item.get("BurnedInAnnotation") == "YES" for item in shown) else "NO"
