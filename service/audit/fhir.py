"""Lines of the audit log as FHIR R4 AuditEvents in a bundle: the same content as the messages of ``atna``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_OWN = "urn:spinescribe"
_NAMESPACE = uuid.UUID("5b1fbb2e-56a1-5a4e-9d9b-0c7f4d1f7e21")


def fhir_lines(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a Bundle of AuditEvents as JSON, a line at a time.

    Args:
        lines: Lines of the log as plain data (``query.line_of``).
    """
    yield '{"resourceType": "Bundle", "type": "collection", "entry": ['
    before: str | None = None
    for line in lines:
        if before is not None:
            yield f"{before},"
        event = audit_event(line)
        before = json.dumps({"fullUrl": f"urn:uuid:{event['id']}", "resource": event}, ensure_ascii=False)
    yield from () if before is None else (before,)
    yield "]}"


def audit_event(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the log as an AuditEvent."""
    found, action = event_of(str(line["action"])), str(line["action"])
    kind, _, key = str(line["subject"]).partition(":")
    chain = {name: line[name] for name in ("previous", "hash")}
    subject = [_entity(kind, key, object_of(kind), line["details"])] if key else []
    own = _entity("audit", str(line["seq"]), LOG_LINE, chain if key else {**line["details"], **chain})
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid.uuid5(_NAMESPACE, f"{line['seq']}/{line['hash']}")),
        "type": _dicom(found.event),
        "subtype": [*([_dicom(found.kind)] if found.kind else []), _coding(f"{_OWN}:{OWN_SCHEME}", action)],
        "action": found.code,
        "recorded": line["at"],
        "outcome": found.outcome,
        "agent": _agents(str(line["actor"])),
        "source": {
            "observer": {"display": APPLICATION},
            "type": [_coding(f"{_TERMS}/security-source-type", "4")],
        },
        "entity": [*subject, own],
    }


def _agents(actor: str) -> list[dict[str, Any]]:
    application = {
        "type": {"coding": [_dicom("110150")]},
        "who": {"display": APPLICATION},
        "requestor": actor == SYSTEM,
    }
    if actor == SYSTEM:
        return [application]
    who = {"identifier": {"system": f"{_OWN}:user", "value": _said(actor)}}
    return [{"who": who, "requestor": True}, application]


def _entity(kind: str, key: str, what: AuditObject, details: Mapping[str, Any]) -> dict[str, Any]:
    told = [
        {"type": name, "valueString": json.dumps(value, sort_keys=True, ensure_ascii=False)}
        for name, value in sorted(details.items())
    ]
    return {
        "what": {"identifier": {"system": f"{_OWN}:{kind}", "value": _said(key)}},
        "type": _coding(f"{_TERMS}/audit-entity-type", what.type_code),
        "role": _coding(f"{_TERMS}/object-role", what.role),
        **({"detail": told} if told else {}),
    }


def _dicom(code: str) -> dict[str, str]:
    return {**_coding(_DCM, code), "display": MEANINGS[code]}


def _coding(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}


def _said(text: str) -> str:
    """Return a text that is not empty, as FHIR asks."""
    return text if text.strip() else "(empty)"
