"""Lines of the audit log as audit messages of DICOM (PS3.15 A.5.1), the XML that ATNA repositories take.

Each message is a line of its own inside ``AuditMessages``, so that one can be cut out and sent by syslog as it is.
Besides the subject each message holds the log's line as an object, with its number and both hashes: the chain can
be followed in the repository too. Values of details are base64, as the schema asks. No message names a patient.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from service.audit.events import (
    APPLICATION,
    LOG_LINE,
    MEANINGS,
    OWN_SCHEME,
    SYSTEM,
    AuditObject,
    event_of,
    object_of,
)

_APPLICATION_SERVER = "4"


def atna_lines(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield an XML document of audit messages, a line at a time.

    Args:
        lines: Lines of the log as plain data (``query.line_of``).
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<AuditMessages>"
    for line in lines:
        yield tostring(audit_message(line), encoding="unicode")
    yield "</AuditMessages>"


def audit_message(line: Mapping[str, Any]) -> Element:
    """Return a line of the log as an AuditMessage."""
    message = Element("AuditMessage")
    _event(message, line)
    _participants(message, str(line["actor"]))
    source = SubElement(message, "AuditSourceIdentification", AuditSourceID=APPLICATION)
    SubElement(source, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    kind, _, key = str(line["subject"]).partition(":")
    if key:
        _object(message, kind, key, object_of(kind), line["details"])
    chain = {name: line[name] for name in ("previous", "hash")}
    details = chain if key else {**line["details"], **chain}
    _object(message, "audit", str(line["seq"]), LOG_LINE, details)
    return message


def _event(message: Element, line: Mapping[str, Any]) -> None:
    found, action = event_of(str(line["action"])), str(line["action"])
    event = SubElement(
        message,
        "EventIdentification",
        EventActionCode=found.code,
        EventDateTime=str(line["at"]),
        EventOutcomeIndicator=found.outcome,
    )
    _dicom(event, "EventID", found.event)
    if found.kind:
        _dicom(event, "EventTypeCode", found.kind)
    _own(event, "EventTypeCode", action)


def _participants(message: Element, actor: str) -> None:
    """Tell who acted, and the application: the one who asked for it comes first."""
    if actor != SYSTEM:
        SubElement(message, "ActiveParticipant", UserID=_clean(actor), UserIsRequestor="true")
    application = SubElement(
        message, "ActiveParticipant", UserID=APPLICATION, UserIsRequestor="true" if actor == SYSTEM else "false"
    )
    _dicom(application, "RoleIDCode", "110150")


def _object(message: Element, kind: str, key: str, what: AuditObject, details: Mapping[str, Any]) -> None:
    found = SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(key),
        ParticipantObjectTypeCode=what.type_code,
        ParticipantObjectTypeCodeRole=what.role,
    )
    _own(found, "ParticipantObjectIDTypeCode", kind)
    SubElement(found, "ParticipantObjectName").text = _clean(f"{kind}:{key}")
    for name, value in sorted(details.items()):
        plain = json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
        coded = base64.b64encode(plain).decode("ascii")
        SubElement(found, "ParticipantObjectDetail", type=_clean(name), value=coded)


def _dicom(parent: Element, tag: str, code: str) -> None:
    SubElement(parent, tag, {"csd-code": code, "codeSystemName": "DCM", "originalText": MEANINGS[code]})


def _own(parent: Element, tag: str, code: str) -> None:
    told = _clean(code)
    SubElement(parent, tag, {"csd-code": told, "codeSystemName": OWN_SCHEME, "originalText": told})


def _clean(text: str) -> str:
    """Return text that XML can hold, on one line: a refused name may be anything."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)
