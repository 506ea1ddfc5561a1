"""Walking the audit log: is every line as it was written, is none missing, are they in order?

The chain shows a change, a deletion and a swap of lines inside the log by itself. Two things it cannot show alone:
lines cut off at its end, and a chain written anew from some line on by somebody with the database in hand (the
hash has no secret). Both show against a ``head`` kept elsewhere: a hash that the log once ended with must still be
in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from service.audit.log import GENESIS, entry_hash
from service.store.tables import AuditEntry

_CHUNK = 1000
_SEARCHED = 100_000
"""Places tried to tell a moved line from a changed one."""


class Fault(StrEnum):
    """How a line is broken."""

    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_ORDER = "out_of_order"
    TRUNCATED = "truncated"


@dataclass(frozen=True)
class Verification:
    """What walking the log found.

    Attributes:
        is_intact: Whether nothing is wrong.
        count: Lines that are there.
        head: Hash of the last line; 64 zeros for an empty log. Keep it elsewhere to notice truncation later.
        broken_at: Number of the first broken line; None when intact, or when only the end is missing.
        fault: How it is broken.
        message: One sentence.
    """

    is_intact: bool
    count: int
    head: str
    broken_at: int | None
    fault: Fault | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "intact": self.is_intact,
            "count": self.count,
            "head": self.head,
            "broken_at": self.broken_at,
            "how": None if self.fault is None else self.fault.value,
            "message": self.message,
        }


def verify_log(session: Session, *, expected_head: str | None = None) -> Verification:
    """Walk the whole log.

    Args:
        session: An open transaction.
        expected_head: A head that was kept: it must be the hash of some line.
    """
    count = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
    head = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.seq.desc()).limit(1)) or GENESIS
    previous, seen = GENESIS, expected_head in (None, GENESIS)
    for place, row in enumerate(_rows(session), start=1):
        found = _fault(session, row, place, previous, count)
        if found is not None:
            return Verification(False, count, head, place, found, _words(found, place, row.seq))
        previous = row.hash
        seen = seen or row.hash == expected_head
    if not seen:
        told = "the log does not hold the expected head: lines were cut off its end, or it was written anew"
        return Verification(False, count, head, None, Fault.TRUNCATED, told)
    return Verification(True, count, head, None, None, f"{count} lines, none changed, missing or out of order")


@dataclass(frozen=True)
class _Row:
    """A line as it lies in the database; ``entry`` is None when its fields cannot be read at all."""

    seq: int
    previous: str
    hash: str
    entry: AuditEntry | None


def _rows(session: Session) -> Iterator[_Row]:
    """Yield the lines in the order of their numbers, a thousand at a time."""
    last: int | None = None
    while True:
        query = select(AuditEntry.seq, AuditEntry.previous, AuditEntry.hash).order_by(AuditEntry.seq).limit(_CHUNK)
        chunk = session.execute(query if last is None else query.where(AuditEntry.seq > last)).all()
        if not chunk:
            return
        entries = _entries(session, chunk[0].seq, chunk[-1].seq)
        for seq, previous, digest in chunk:
            yield _Row(seq, previous, digest, entries.get(seq))
        last = chunk[-1].seq


def _entries(session: Session, first: int, last: int) -> dict[int, AuditEntry]:
    """Return the lines of a range that can be read; one whose time or details are none is not."""
    details = cast(AuditEntry.details, Text)
    fields = AuditEntry.seq, AuditEntry.actor, AuditEntry.action, AuditEntry.subject, AuditEntry.previous
    times = _times(session, first, last)
    found = {}
    for seq, actor, action, subject, previous, told in session.execute(
        select(*fields, details).where(AuditEntry.seq.between(first, last))
    ):
        try:
            content = json.loads(told)
        except (TypeError, ValueError):
            continue
        if seq in times:
            found[seq] = AuditEntry(
                seq=seq,
                at=times[seq],
                actor=actor,
                action=action,
                subject=subject,
                details=content,
                previous=previous,
            )
    return found


def _times(session: Session, first: int, last: int) -> dict[int, datetime]:
    """Return the times of a range of lines; where one cannot be read, they are read one by one."""
    query = select(AuditEntry.seq, AuditEntry.at).where(AuditEntry.seq.between(first, last))
    try:
        return {seq: at for seq, at in session.execute(query) if at is not None}
    except (TypeError, ValueError):
        if first == last:
            return {}
        middle = (first + last) // 2
        return _times(session, first, middle) | _times(session, middle + 1, last)


def _fault(session: Session, row: _Row, place: int, previous: str, count: int) -> Fault | None:
    if row.seq > place:
        return Fault.MISSING
    if row.seq < place:
        return Fault.OUT_OF_ORDER
    if row.entry is None or entry_hash(row.entry) != row.hash:
        return Fault.OUT_OF_ORDER if _is_moved(row, count) else Fault.CHANGED
    if row.previous != previous:
        is_known = session.scalar(select(AuditEntry.seq).where(AuditEntry.hash == row.previous)) is not None
        return Fault.OUT_OF_ORDER if is_known or row.previous == GENESIS else Fault.MISSING
    return None


def _is_moved(row: _Row, count: int) -> bool:
    """Tell whether a line is as it was written but for its number."""
    if row.entry is None:
        return False
    written = row.entry.seq
    try:
        for place in range(1, min(count, _SEARCHED) + 2):
            row.entry.seq = place
            if entry_hash(row.entry) == row.hash:
                return True
    finally:
        row.entry.seq = written
    return False


def _words(fault: Fault, place: int, seq: int) -> str:
    if fault is Fault.MISSING:
        gap = f"line {place} is" if seq == place + 1 else f"lines {place} to {seq - 1} are"
        return f"{gap} missing" if seq > place else f"the line before line {place} is missing"
    if fault is Fault.OUT_OF_ORDER:
        return f"line {place} is out of order"
    return f"line {place} was changed after it was written"
