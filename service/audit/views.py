"""Looking at a report is audited once for each sign-in and study, so that the log tells who saw what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from service.accounts.actor import Actor
from service.audit.log import append
from service.services import Services
from service.store.tables import AuditEntry

VIEW = "report.view"


def record_view(services: Services, actor: Actor, study_id: str, details: Mapping[str, Any]) -> None:
    """Write that an actor looked at a report, unless this sign-in's line is there already."""
    subject, mark = f"study:{study_id}", _mark(actor)
    query = select(AuditEntry.details).where(
        AuditEntry.subject == subject, AuditEntry.action == VIEW, AuditEntry.actor == actor.name
    )
    with services.database.read() as session:
        if any(row.get("session") == mark for row in session.scalars(query)):
            return
    with services.database.begin_soft() as session:
        append(session, actor.name, VIEW, subject=subject, details={"session": mark, **details})


def _mark(actor: Actor) -> str:
    """Return what tells sign-ins apart in the log, and is of no use for anything else."""
    return hashlib.sha256(f"audit {actor.session_id}".encode()).hexdigest()[:16]
