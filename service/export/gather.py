"""What an export of a study is made from: its report as decided, its upload, the label maps of its reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from imaging.limits import current
from imaging.types import SourceKind
from reporting.export.classes import USUAL, Classes
from reporting.export.package import no_dicom_words
from service.accounts.actor import Actor
from service.errors import InvalidError
from service.export.content import build_outgoing
from service.export.request import NEEDS_DICOM, NEEDS_IMAGES, SHOWS_IMAGES, Format, Request
from service.review.case import Case, load_case
from service.services import Services
from service.store.tables import ReadingFile, Study

_OVERLAY = "overlay.png"
_NO_PICTURE = frozenset({Format.MARKDOWN, Format.CSV, Format.JSON})


def gather(
    services: Services,
    actor: Actor,
    study_id: str,
    *kinds: Format,
    classes: Classes = USUAL,
) -> tuple[Case, Request]:
    """Return a report as it stands at this moment, and what an export of it is made from.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
        InvalidError: If a format needs DICOM and the study is none, or its upload is not kept.
    """
    with services.database.read() as session:
        case = load_case(session, actor, study_id)
        kept = _kept_files(session, services, case.reading_id)
        upload = services.blobs.path(session.get_one(Study, study_id).upload_sha256)
    picture = kept.get(_OVERLAY) if not _NO_PICTURE.issuperset(kinds) else None
    outgoing = build_outgoing(case, None if picture is None else picture.read_bytes())
    source = _source(case, kinds, upload)
    return case, Request(kinds, outgoing, case.decided_document, source, kept, current(), classes)


def _source(case: Case, kinds: tuple[Format, ...], upload: Path) -> Path | None:
    """Return the upload where a format has something of it; a study without it leaves as text.

    Raises:
        InvalidError: If a format cannot be made.
    """
    found = SourceKind(case.document["study"]["source"])
    if not NEEDS_DICOM.isdisjoint(kinds) and found is not SourceKind.DICOM:
        raise InvalidError(no_dicom_words(found), code="no_dicom")
    if SHOWS_IMAGES.isdisjoint(kinds):
        return None
    if upload.is_file():
        return upload
    if not NEEDS_IMAGES.isdisjoint(kinds):
        raise InvalidError("the study's images are not kept any more: export pdf, docx, csv or fhir instead")
    return None


def _kept_files(session: Session, services: Services, reading_id: str) -> Mapping[str, Path]:
    """Return name -> kept file of a reading."""
    query = select(ReadingFile.name, ReadingFile.sha256).where(ReadingFile.reading_id == reading_id)
    return {name: services.blobs.path(sha256) for name, sha256 in session.execute(query)}
