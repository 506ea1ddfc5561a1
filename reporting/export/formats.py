"""The formats a report leaves in: one function each, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module

from reporting.export.package import ExportedFile, Package
from runtime.errors import StudyError

Write = Callable[[Package], tuple[ExportedFile, ...]]


class ExportFormat(StrEnum):
    """What a report can leave as."""

    MARKDOWN = "md"
    HTML = "html"
    CSV = "csv"
    PDF = "pdf"
    DOCX = "docx"
    SEG = "seg"
    SR = "sr"
    DICOM_PDF = "dicom-pdf"
    KEY_IMAGES = "key-images"
    FHIR = "fhir"
    BIDS = "bids"


DICOM = (ExportFormat.SEG, ExportFormat.SR, ExportFormat.DICOM_PDF, ExportFormat.KEY_IMAGES)
"""Formats that refer to the instances of the study, so that they need it as DICOM."""

IMAGES = (*DICOM, ExportFormat.BIDS)
"""Formats that cannot be made without the study that was read."""

_HOMES = {
    ExportFormat.MARKDOWN: "reporting.export.text:markdown_files",
    ExportFormat.HTML: "reporting.export.text:html_files",
    ExportFormat.CSV: "reporting.export.tables:csv_files",
    ExportFormat.PDF: "reporting.export.pdf:pdf_files",
    ExportFormat.DOCX: "reporting.export.docx:docx_files",
    ExportFormat.SEG: "reporting.dicom.segmentation:seg_files",
    ExportFormat.SR: "reporting.dicom.structured:sr_files",
    ExportFormat.DICOM_PDF: "reporting.dicom.document:dicom_pdf_files",
    ExportFormat.KEY_IMAGES: "reporting.dicom.key_images:key_image_files",
    ExportFormat.FHIR: "reporting.fhir:fhir_files",
    ExportFormat.BIDS: "reporting.bids:bids_files",
}


def export_files(package: Package, formats: Iterable[ExportFormat]) -> tuple[ExportedFile, ...]:
    """Return the files of some formats, in the order asked for.

    Raises:
        StudyError: If a format needs the study and it was not given, or is no DICOM.
    """
    kinds = tuple(formats)
    together = _together(package, kinds)
    return tuple(file for kind in kinds for file in _writer(kind)(together))


@dataclass(frozen=True)
class Export:
    """What an export came to.

    Attributes:
        files: Files, in the order of the formats.
        left_out: Format -> why it could not be made.
    """

    files: tuple[ExportedFile, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [file.name for file in self.files]
        assert len(set(names)) == len(names), "each file of an export has a name of its own"


def export_all(package: Package) -> Export:
    """Return the files of every format that the source allows, and of the others why not."""
    files: list[ExportedFile] = []
    left_out: dict[str, str] = {}
    together = _together(package, ExportFormat)
    for kind in ExportFormat:
        try:
            if kind in IMAGES:
                package.require_source()
            files += _writer(kind)(together)
        except StudyError as error:
            left_out[kind.value] = str(error)
    return Export(tuple(files), left_out)


def _together(package: Package, kinds: Iterable[ExportFormat]) -> Package:
    """Return a package that knows what is made beside each of its formats."""
    return replace(package, beside=package.beside | {kind.value for kind in kinds})


def _writer(kind: ExportFormat) -> Write:
    module, name = _HOMES[kind].split(":")
    write: Write = getattr(import_module(module), name)
    return write
