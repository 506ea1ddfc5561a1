"""Opening a reading to look at it: who may, and a line of the audit log for the first look."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, selectinload

from service.accounts.actor import Actor
from service.audit import append
from service.services import Services
from service.store.base import now
from service.store.tables import AuditEntry, StoredReading
from service.studies.access import open_reading

VIEWED = "reading.view"
_ONE_VIEW = timedelta(hours=12)
"""Looks within it are one view: slices, documents and reloads of a working day."""


def view_reading(services: Services, actor: Actor, reading_id: str, *, document: bool = False) -> StoredReading:
    """Return a reading that the actor may see, with its files loaded; the first look is written to the audit log.

    Args:
        services: The open service.
        actor: Who looks.
        reading_id: Which reading.
        document: Whether reading.json is loaded too.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
    """
    with services.database.read() as session:
        # A slice needs no reading.json (100 kB).
        lean = () if document else (defer(StoredReading.document),)
        reading = open_reading(session, actor, reading_id, selectinload(StoredReading.files), *lean)
        is_first = not _was_viewed(session, actor, reading)
    if is_first:
        with services.database.begin_soft() as session:
            if not _was_viewed(session, actor, reading):
                details = {"reading": reading.id, "writer": reading.writer}
                append(session, actor.name, VIEWED, subject=f"study:{reading.study_id}", details=details)
    return reading


def log_download(services: Services, actor: Actor, reading: StoredReading, name: str) -> None:
    """Write to the audit log that a file of a reading was downloaded."""
    with services.database.begin() as session:
        details = {"reading": reading.id, "file": name}
        append(session, actor.name, "reading.download", subject=f"study:{reading.study_id}", details=details)


def _was_viewed(session: Session, actor: Actor, reading: StoredReading) -> bool:
    """Return whether the actor looked at the reading lately."""
    rows = session.scalars(
        select(AuditEntry.details).where(
            AuditEntry.subject == f"study:{reading.study_id}",
            AuditEntry.action == VIEWED,
            AuditEntry.actor == actor.name,
            AuditEntry.at >= now() - _ONE_VIEW,
        )
    )
    return any(details.get("reading") == reading.id for details in rows)
