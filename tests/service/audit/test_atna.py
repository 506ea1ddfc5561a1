"""The audit log as DICOM audit messages and FHIR AuditEvents: shaped as they must be, nothing lost, no patient."""

import ast
import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from fhir.resources.R4B.bundle import Bundle
from pydicom.sr._concepts_dict import concepts

import service
from cli.main import main
from service.audit import AuditFilter, append, list_entries
from service.audit.atna import atna_lines, audit_message
from service.audit.events import FALLBACK, MEANINGS, event_of, known_actions, object_of
from service.audit.fhir import audit_event, fhir_lines
from service.audit.query import line_of
from service.services import Services

HOSTILE = 'a<b>&"\x00\x07]]>\nx'
NO_ACTIONS = re.compile(r"\.(json|jsonl|md|html|csv|zip|css|js|txt|tar|sqlite|png|pdf|id|log|key|yaml|dump)$")


@pytest.fixture
def lines(services: Services) -> list[dict[str, Any]]:
    """Return one line of every action, and two that nobody knows."""
    with services.database.begin() as session:
        for number, action in enumerate(sorted(known_actions())):
            kind = action.split(".")[0]
            subject = f"{kind}:{number:04x}" if kind in ("study", "user", "group", "evaluation") else ""
            append(session, f"user{number % 3}", action, subject=subject, details={"version": number, "list": [1]})
        append(session, "system", "future.thing", details={"x": None})
        append(session, HOSTILE, "future.other", subject=f"study:{HOSTILE}", details={HOSTILE: HOSTILE})
    with services.database.read() as session:
        entries, _ = list_entries(session, AuditFilter(), limit=1000)
        return [line_of(entry) for entry in reversed(entries)]


def _coded(element: Element) -> None:
    """Check the attributes of a CodedValueType."""
    assert set(element.attrib) == {"csd-code", "codeSystemName", "originalText"}
    assert all(element.attrib.values())


def _check_message(message: Element) -> None:
    """Check a message against the schema of PS3.15 A.5.1.1: elements, order, attributes, closed values."""
    tags = "".join(f"{child.tag} " for child in message)
    things = "(ParticipantObjectIdentification )*"
    assert re.fullmatch(f"EventIdentification (ActiveParticipant )+AuditSourceIdentification {things}", tags)
    event = message[0]
    assert set(event.attrib) == {"EventActionCode", "EventDateTime", "EventOutcomeIndicator"}
    assert event.get("EventActionCode") in tuple("CRUDE")
    assert event.get("EventOutcomeIndicator") in ("0", "4", "8", "12")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", event.get("EventDateTime", ""))
    assert [child.tag for child in event][:1] == ["EventID"]
    assert {child.tag for child in event[1:]} == {"EventTypeCode"}
    for child in event:
        _coded(child)
    for person in message.findall("ActiveParticipant"):
        assert person.get("UserID")
        assert person.get("UserIsRequestor") in ("true", "false")
        assert {child.tag for child in person} <= {"RoleIDCode"}
    (source,) = message.findall("AuditSourceIdentification")
    assert source.get("AuditSourceID")
    for thing in message.findall("ParticipantObjectIdentification"):
        _check_object(thing)


def _check_object(thing: Element) -> None:
    assert thing.get("ParticipantObjectID")
    assert thing.get("ParticipantObjectTypeCode") in ("1", "2", "3", "4")
    assert thing.get("ParticipantObjectTypeCodeRole") in {str(number) for number in range(2, 27)}
    assert [child.tag for child in thing][:2] == ["ParticipantObjectIDTypeCode", "ParticipantObjectName"]
    assert {child.tag for child in thing[2:]} <= {"ParticipantObjectDetail"}
    _coded(thing[0])
    for detail in thing[2:]:
        assert set(detail.attrib) == {"type", "value"}
        json.loads(base64.b64decode(detail.get("value", ""), validate=True))


def test_every_line_is_a_message_of_the_schema(lines: list[dict[str, Any]]) -> None:
    written = list(atna_lines(lines))
    whole = ElementTree.fromstring("\n".join(written).encode())
    assert len(whole) == len(lines) == len(written) - 3
    for text, message in zip(written[2:-1], whole, strict=True):
        _check_message(message)
        _check_message(ElementTree.fromstring(text))
    assert not whole.findall(".//*[@ParticipantObjectTypeCodeRole='1']")


def test_the_chain_and_the_details_go_along(lines: list[dict[str, Any]]) -> None:
    line = next(row for row in lines if row["subject"].startswith("study:"))
    first, second = audit_message(line).findall("ParticipantObjectIdentification")
    told = {
        row.get("type"): json.loads(base64.b64decode(row.get("value", "")))
        for row in (*first.findall("ParticipantObjectDetail"), *second.findall("ParticipantObjectDetail"))
    }
    assert told == {**line["details"], "previous": line["previous"], "hash": line["hash"]}
    assert second.get("ParticipantObjectID") == str(line["seq"])


def _covered(message: Element) -> dict[str, Any]:
    """Return what the hash of a line covers, from its message alone."""
    event, people = message[0], message.findall("ActiveParticipant")
    *subject, line = message.findall("ParticipantObjectIdentification")
    details = {
        row.get("type", ""): json.loads(base64.b64decode(row.get("value", "")))
        for thing in (*subject, line)
        for row in thing.findall("ParticipantObjectDetail")
    }
    return {
        "seq": int(line.get("ParticipantObjectID", "")),
        "at": event.get("EventDateTime"),
        "actor": people[0].get("UserID") if len(people) == 2 else "system",
        "action": event[-1].get("csd-code"),
        "subject": subject[0].findtext("ParticipantObjectName") if subject else "",
        "previous": details.pop("previous"),
        "hash": details.pop("hash"),
        "details": details,
    }


def test_the_chain_can_be_verified_from_the_messages_alone(lines: list[dict[str, Any]]) -> None:
    whole = ElementTree.fromstring("\n".join(atna_lines(lines[:-1])).encode())
    for message in whole:
        content = _covered(message)
        told = content.pop("hash")
        plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(plain.encode()).hexdigest() == told


def test_every_line_is_an_audit_event(lines: list[dict[str, Any]]) -> None:
    content = json.loads("\n".join(fhir_lines(lines)))
    bundle = Bundle.model_validate(content)
    assert len(bundle.entry) == len(lines)
    assert len({row["fullUrl"] for row in content["entry"]}) == len(lines)
    for row, line in zip(content["entry"], lines, strict=True):
        event = row["resource"]
        assert event["subtype"][-1]["code"] == line["action"]
        assert event["recorded"] == line["at"]
        assert [agent["requestor"] for agent in event["agent"]].count(True) == 1
        assert event["source"]["observer"]["display"]


def test_an_empty_log_is_a_document_too() -> None:
    assert len(ElementTree.fromstring("\n".join(atna_lines([])).encode())) == 0
    assert json.loads("\n".join(fhir_lines([])))["entry"] == []


@pytest.mark.parametrize(
    ("action", "event", "kind", "code", "outcome"),
    [
        ("session.login", "User Authentication", "Login", "E", "0"),
        ("session.refuse", "User Authentication", "Login", "E", "4"),
        ("session.reuse", "Security Alert", "", "E", "8"),
        ("user.password", "Security Alert", "User Security Attributes Changed", "U", "0"),
        ("study.upload", "Import", "", "C", "0"),
        ("study.delete", "DICOM Study Deleted", "", "D", "0"),
        ("report.export", "Export", "", "R", "0"),
        ("report.sign", "Patient Record", "", "U", "0"),
        ("audit.verify", "Audit Log Used", "", "R", "0"),
    ],
)
def test_actions_are_told_as_what_they_are(action: str, event: str, kind: str, code: str, outcome: str) -> None:
    found = event_of(action)
    assert (MEANINGS[found.event], MEANINGS.get(found.kind, "")) == (event, kind)
    assert (found.code, found.outcome) == (code, outcome)


def test_what_is_not_in_the_table_is_told_as_an_activity_with_our_own_word() -> None:
    line = {"seq": 1, "at": "2026-11-22T16:00:00.000000+00:00", "actor": "a", "action": "new.word", "subject": "",
            "details": {}, "previous": "0", "hash": "1"}  # fmt: skip
    assert event_of("new.word") == FALLBACK
    assert event_of("new.word").event == "110100"
    assert [row.get("csd-code") for row in audit_message(line)[0]] == ["110100", "new.word"]
    assert [row["code"] for row in audit_event(line)["subtype"]] == ["new.word"]
    assert object_of("thing") == object_of("other thing")


def _trees() -> Iterator[ast.AST]:
    for file in sorted(Path(service.__file__).parent.rglob("*.py")):
        yield ast.parse(file.read_text(encoding="utf-8"))


def _appended(tree: ast.AST) -> Iterator[str]:
    """Yield the actions that are named where a line is appended."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) >= 3:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            action = node.args[2]
            if name == "append" and isinstance(action, ast.Constant):
                yield str(action.value)


def test_every_action_of_the_service_is_in_the_table() -> None:
    nouns = {action.split(".")[0] for action in known_actions()}
    found = set()
    for tree in _trees():
        found |= set(_appended(tree))
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            is_action = re.fullmatch(r"[a-z]+\.[a-z_]+", text) and text.split(".")[0] in nouns
            if is_action and not NO_ACTIONS.search(text):
                found.add(text)
    assert len(found) > 35
    assert found - set(known_actions()) == set(), "add these actions to service/audit/events.csv"


def test_codes_are_those_of_the_dictionary_of_dicom() -> None:
    known = {(code, meaning) for rows in concepts["DCM"].values() for code, (meaning, _) in rows.items()}
    assert set(MEANINGS.items()) <= known
    for event in (*known_actions().values(), FALLBACK):
        assert event.event in MEANINGS
        assert not event.kind or event.kind in MEANINGS
        assert event.code in tuple("CRUDE")
        assert event.outcome in ("0", "4", "8", "12")


@pytest.mark.parametrize("form", ["jsonl", "atna-xml", "fhir"])
def test_the_command_line_writes_each_format(
    services: Services, lines: list[dict[str, Any]], form: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SPINESCRIBE_HOME", str(services.config.home))
    out = tmp_path / "log"
    assert main(["audit", "export", "--format", form, "--out", str(out), "--since", "2020-01-01"]) == 0
    assert capsys.readouterr().out == ""
    assert out.stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".audit")] == []
    told = out.read_text(encoding="utf-8")
    sign = {"jsonl": "\n", "atna-xml": "<AuditMessage>", "fhir": "fullUrl"}[form]
    assert told.count(sign) == len(lines)
    assert main(["audit", "export", "--format", form]) == 0
    assert capsys.readouterr().out == told
    assert main(["audit", "export", "--format", form, "--since", "2999-01-01"]) == 0
    assert "user1" not in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_told(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(services.config.home))
    assert main(["audit", "export", "--out", str(tmp_path / "none" / "log")]) == 2
    assert "--out: the folder of the file does not exist" in capsys.readouterr().err
