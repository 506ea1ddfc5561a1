"""A reading as the machine left it, with what follows from it alone: decoded once, kept while it is in use.

What was stored of a reading never changes, so that the last readings asked for are kept in memory; who may see one
is asked each time, before (``service.studies.access``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy.orm import Session

from grading.types import Findings
from pipeline import place_of
from reporting.restored import restore_findings
from reporting.verifier import positive_grades
from service.store.tables import StoredReading

MOST_KEPT = 32
"""Readings in memory, of about a megabyte each."""


@dataclass(frozen=True, eq=False)
class MachineReading:
    """A stored reading; nobody changes its document.

    Attributes:
        id: Of the reading.
        document: Content of its reading.json.
    """

    id: str
    document: Mapping[str, Any]

    @cached_property
    def findings(self) -> Findings:
        """Return the findings graph as the machine made it."""
        return restore_findings(self.document)

    @cached_property
    def positive_ids(self) -> tuple[str, ...]:
        """Return the findings that need a decision: those the machine found, or could not exclude."""
        return tuple(grade.id for grade in positive_grades(self.findings))

    @cached_property
    def places(self) -> dict[str, dict[str, Any]]:
        """Return finding id -> where it lies, for all that lie somewhere."""
        found = {}
        for key in _ids(self.document):
            evidence = place_of(self.document, key).evidence
            if evidence is not None:
                found[key] = {
                    "finding_id": key,
                    "series": evidence.series_id,
                    "slice": evidence.slice_index,
                    "box_px": list(evidence.box_px),
                }
        return found


_kept: OrderedDict[str, MachineReading] = OrderedDict()
_lock = Lock()


def load_machine_reading(session: Session, reading_id: str) -> MachineReading:
    """Return a reading, from memory if it was asked for lately.

    Args:
        session: An open transaction.
        reading_id: Of a reading that is there and that the actor may see.
    """
    with _lock:
        found = _kept.get(reading_id)
        if found is not None:
            _kept.move_to_end(reading_id)
            return found
    loaded = MachineReading(reading_id, session.get_one(StoredReading, reading_id).document)
    with _lock:
        _kept[reading_id] = loaded
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return loaded


def _ids(document: Mapping[str, Any]) -> Iterable[str]:
    return (str(row["id"]) for row in (*document["grades"], *document["measurements"]))
