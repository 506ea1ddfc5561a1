"""What each of our actions is among the audit events of DICOM (PS3.15 A.5, codes of PS3.16 CID 400 and 401).

``events.csv`` holds the table. Our own word goes along as a type of the event wherever the line goes. An action
that is not in the table is told as Application Activity, executed, with success: the one event that claims nothing
about data, so that a new action is never lost and never taken for another.

A report is told as Patient Record, which is what DICOM has nearest to it; no line names the patient.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OWN_SCHEME = "99SPINESCRIBE"
APPLICATION = "SpineScribe"
SYSTEM = "system"
"""Name under which the service itself acts."""

MEANINGS = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110103": "DICOM Instances Accessed",
    "110104": "DICOM Instances Transferred",
    "110105": "DICOM Study Deleted",
    "110106": "Export",
    "110107": "Import",
    "110110": "Patient Record",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110122": "Login",
    "110123": "Logout",
    "110136": "Security Roles Changed",
    "110137": "User Security Attributes Changed",
    "110150": "Application",
}
"""Codes of the scheme DCM."""


@dataclass(frozen=True)
class AuditEvent:
    """An action as DICOM tells it.

    Attributes:
        event: Code of the event.
        kind: Code of its type; empty where DICOM has none.
        code: What was done: C create, R read, U update, D delete, E execute.
        outcome: 0 success, 4 minor failure, 8 serious failure.
    """

    event: str
    kind: str
    code: str
    outcome: str


@dataclass(frozen=True)
class AuditObject:
    """What an action was done to.

    Attributes:
        type_code: 1 person, 2 system object.
        role: Role of PS3.15 table A.5.1.2.2: 3 report, 6 user, 12 group of users, 13 security resource, 20 job.
    """

    type_code: str
    role: str


FALLBACK = AuditEvent("110100", "", "E", "0")
LOG_LINE = AuditObject("2", "13")
_OBJECTS = {
    "study": AuditObject("2", "3"),
    "user": AuditObject("1", "6"),
    "group": AuditObject("2", "12"),
    "evaluation": AuditObject("2", "20"),
}
_OTHER = LOG_LINE


def event_of(action: str) -> AuditEvent:
    """Return an action as DICOM tells it."""
    return known_actions().get(action, FALLBACK)


def object_of(kind: str) -> AuditObject:
    """Return what the kind of a subject (``study``, ``user`` ...) is."""
    return _OBJECTS.get(kind, _OTHER)


@cache
def known_actions() -> dict[str, AuditEvent]:
    """Return the actions of the table."""
    with (Path(__file__).parent / "events.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["action"]: AuditEvent(row["event"], row["kind"], row["code"], row["outcome"])
            for row in csv.DictReader(file)
        }
