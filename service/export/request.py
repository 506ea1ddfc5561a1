"""What the process that exports is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from imaging.isolate.handover import Failure
from imaging.limits import Limits
from reporting.export.classes import USUAL, Classes
from reporting.export.content import Outgoing
from reporting.export.formats import DICOM, IMAGES, ExportFormat


class Format(StrEnum):
    """What a report can leave as: the formats of ``reporting.export``, all its data, or everything at once."""

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
    JSON = "json"
    ALL = "all"


NEEDS_DICOM = frozenset(Format(kind.value) for kind in DICOM)
NEEDS_IMAGES = frozenset(Format(kind.value) for kind in IMAGES)
SHOWS_IMAGES = NEEDS_IMAGES | {Format.PDF, Format.DOCX, Format.FHIR, Format.ALL}
"""Formats that have more in them when the study is at hand."""

SINGLE = frozenset({Format.MARKDOWN, Format.HTML, Format.PDF, Format.DOCX, Format.JSON})
"""Formats of one file, which leaves as it is; the others leave as a zip."""


@dataclass(frozen=True)
class Request:
    """An export; written by the service itself, so that the process may believe it.

    Attributes:
        kinds: Formats; several leave as one zip.
        outgoing: The report as it stands.
        document: reading.json as decided.
        source: The study's upload; None to export without it.
        label_maps: Name in reading.json -> kept file.
        limits: How much the process may take.
        classes: SOP classes of the DICOM objects.
    """

    kinds: tuple[Format, ...]
    outgoing: Outgoing
    document: Mapping[str, Any]
    source: Path | None
    label_maps: Mapping[str, Path]
    limits: Limits
    classes: Classes = USUAL

    @property
    def is_single(self) -> bool:
        """Return whether the export is one file, which leaves as it is."""
        return len(self.kinds) == 1 and self.kinds[0] in SINGLE

    @property
    def needs_images(self) -> bool:
        """Return whether it cannot be made without the study."""
        return not NEEDS_IMAGES.isdisjoint(self.kinds)


@dataclass(frozen=True)
class Answer:
    """What came of it; the bytes went into the file that was handed over.

    Attributes:
        name: File name.
        media_type: Media type.
        left_out: Format -> why it could not be made; ``images`` when the study could not be opened again.
        failure: Why there is no file.
    """

    name: str
    media_type: str
    left_out: dict[str, str]
    failure: Failure | None = None


def export_format(kind: Format) -> ExportFormat:
    """Return the format of ``reporting.export``; ``json`` and ``all`` have none."""
    return ExportFormat(kind.value)
