"""The export package of a study of the worklist: its report as decided, its images, its label maps."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from imaging import load_study_isolated
from reporting.export.package import Package, Source, open_label_maps
from runtime.errors import StudyError
from service.accounts.actor import Actor
from service.export.content import build_outgoing
from service.review.case import Case, load_case
from service.services import Services
from service.store.tables import ReadingFile, Study
from service.store.words import Role

SYSTEM = Actor(user_id="", name="system", display_name="system", role=Role.ADMINISTRATOR)
"""Who acts when nobody does: sees every study."""

_OVERLAY = "overlay.png"


def open_package(services: Services, study_id: str, folder: Path) -> tuple[Package, Case]:
    """Gather the export of a study's report as it stands.

    Args:
        services: The open service.
        study_id: Study, which came as DICOM.
        folder: An empty folder for the files; it must stay until the export is made.

    Raises:
        NotFoundError: If it has no report.
        StudyError: If its images cannot be read as they were.
    """
    with services.database.read() as session:
        case = load_case(session, SYSTEM, study_id)
        study = session.get_one(Study, study_id)
        rows = session.scalars(select(ReadingFile).where(ReadingFile.reading_id == case.reading_id)).all()
        kept = {row.name: row.sha256 for row in rows}
    document = case.decided_document
    wanted = {Path(row["file"]).name for row in document["label_maps"]} & set(kept)
    for name in wanted:
        _place(services.blobs.path(kept[name]), folder / name)
    archive = folder / f"study{study.upload_suffix}"
    _place(services.blobs.path(study.upload_sha256), archive)
    source = _source(archive, document["study"]["protocol"], document["study"]["key"])
    overlay = services.blobs.read(kept[_OVERLAY]) if _OVERLAY in kept else None
    labels = open_label_maps(folder, document, source)
    return Package(build_outgoing(case, overlay), document, labels, source), case


def _source(archive: Path, protocol: str, key: str) -> Source:
    """Read the images behind the wall, and make sure that they are those of the reading."""
    study = load_study_isolated(archive, protocol=protocol)
    if study.key != key:
        raise StudyError(f"expected the images that the reading was made of ({key}), found others ({study.key})")
    return Source(archive, study)


def _place(blob: Path, target: Path) -> None:
    with suppress(OSError):  # another file system
        os.link(blob, target)
        return
    shutil.copyfile(blob, target)
