"""Looking things up in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from service.store.tables import AuditEntry


@dataclass(frozen=True)
class AuditFilter:
    """Which lines are wanted; empty fields ask for nothing.

    Attributes:
        subject: Kind and id, such as ``study:0f3a``.
        actor: Name of a user.
        action: Noun and verb (``report.sign``), or a noun alone (``report``) for all of it.
        since: From this time on.
    """

    subject: str = ""
    actor: str = ""
    action: str = ""
    since: datetime | None = None


def list_entries(
    session: Session, wanted: AuditFilter, *, limit: int, offset: int = 0
) -> tuple[Sequence[AuditEntry], int]:
    """Return lines, the last first, and how many there are in all."""
    total = session.scalar(_filtered(select(func.count()).select_from(AuditEntry), wanted)) or 0
    query = _filtered(select(AuditEntry), wanted).order_by(AuditEntry.seq.desc()).limit(limit).offset(offset)
    return session.scalars(query).all(), total


def line_of(entry: AuditEntry) -> dict[str, Any]:
    """Return a line as plain data: all that the hash covers, and the hash."""
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _filtered(query: Select[Any], wanted: AuditFilter) -> Select[Any]:
    if wanted.subject:
        query = query.where(AuditEntry.subject == wanted.subject)
    if wanted.actor:
        query = query.where(AuditEntry.actor == wanted.actor)
    if "." in wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    elif wanted.action:
        query = query.where(AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True))
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    return query
