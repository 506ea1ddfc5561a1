"""Writing the audit log: each line's hash covers its content and the hash of the line before.

A line is appended in the transaction of what it tells: neither is there without the other. No line holds a
password, a token, the text of a report or the identity of a patient; what changed is named by id and version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.store.base import now
from service.store.tables import AuditEntry

GENESIS = "0" * 64
"""Hash before the first line."""

_LOCK = 0x5350494E45  # PostgreSQL: one appender at a time until its transaction ends; SQLite has one writer anyway


def append(
    session: Session, actor: str, action: str, *, subject: str = "", details: Mapping[str, Any] | None = None
) -> AuditEntry:
    """Append a line to the log.

    Args:
        session: An open writing transaction (``Database.begin``).
        actor: Name of the user, or ``system``.
        action: What was done: noun and verb, such as ``report.sign``.
        subject: What it was done to: kind and id, such as ``study:0f3a``.
        details: Plain values: version, models, thresholds, finding ids.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    session.flush()
    last = session.scalar(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1))
    entry = AuditEntry(
        seq=1 if last is None else last.seq + 1,
        at=now(),
        actor=actor,
        action=action,
        subject=subject,
        details=dict(details or {}),
        previous=GENESIS if last is None else last.hash,
    )
    entry.hash = entry_hash(entry)
    session.add(entry)
    session.flush()
    return entry


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 of a line: its fields as JSON with sorted keys, the hash before included."""
    content = {
        "seq": entry.seq,
        "at": _moment(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
        "previous": entry.previous,
    }
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
