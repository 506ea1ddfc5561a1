"""The chat answers from what was decided, cites sentences, and keeps its words out of the audit log."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from anatomy import Condition
from reporting import parse_report
from service.accounts.actor import Actor
from service.api import chat, reports
from service.services import Services
from service.store.tables import AuditEntry
from tests.service.conftest import add_study

ROUTERS = (reports.router, chat.router)
STENOSIS = "Is there spinal canal stenosis at L4-L5?"


@pytest.fixture
def base(services: Services, radiologist: Actor, document: dict[str, Any]) -> str:
    with services.database.begin() as session:
        return f"/api/v1/studies/{add_study(session, radiologist, document)[0].id}"


@pytest.fixture
def client(client_of: Callable[..., TestClient], radiologist: Actor) -> TestClient:
    return client_of(ROUTERS, radiologist)


def _ask(client: TestClient, base: str, question: str) -> dict[str, Any]:
    answer = client.post(f"{base}/chat", json={"question": question})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _decide(client: TestClient, base: str, **fields: Any) -> None:
    version = client.get(f"{base}/report").json()["version"]
    assert client.post(f"{base}/decisions", json={"version": version, **fields}).status_code == 200


def test_an_answer_cites_findings_and_the_sentences_that_state_them(client: TestClient, base: str) -> None:
    turn = _ask(client, base, STENOSIS)
    assert "Moderate spinal canal stenosis" in turn["answer"]
    assert "g75" in turn["finding_ids"]
    report = client.get(f"{base}/report").json()
    sections = {part["name"]: part["sentences"] for part in report["sections"]}
    cited = [sections[item["section"]][item["index"]] for item in turn["sentences"]]
    assert cited
    assert all(set(row["finding_ids"]) & set(turn["finding_ids"]) for row in cited)


@pytest.mark.parametrize("question", [
    STENOSIS, "What is wrong at L4-L5?", "Which level is the worst?", "Summarise the report.",
    "Where is the canal narrow?",
    "How many levels have spinal canal stenosis?", "How sure is the grade of the stenosis at L4-L5?",
    "Why is the canal at L4-L5 graded so?",
])  # fmt: skip
def test_no_answer_asserts_what_was_rejected(client: TestClient, base: str, question: str) -> None:
    _decide(client, base, finding_id="g75", verdict="reject")
    turn = _ask(client, base, question)
    stenosis = [
        fact
        for fact in parse_report(turn["answer"])
        if fact.condition is Condition.SPINAL_CANAL_STENOSIS and fact.level == "L4-L5"
    ]
    assert stenosis == []
    assert "moderate spinal canal" not in turn["answer"].lower()


def test_a_rejected_finding_is_said_to_be_rejected(client: TestClient, base: str) -> None:
    _decide(client, base, finding_id="g75", verdict="reject")
    assert _ask(client, base, STENOSIS)["answer"] == (
        "Not assessable: spinal canal stenosis at L4-L5. Reason: rejected by the reader."
    )


def test_an_edited_grade_is_the_answer(client: TestClient, base: str) -> None:
    _decide(client, base, finding_id="g75", verdict="edit", grade="severe")
    assert "Severe spinal canal stenosis" in _ask(client, base, STENOSIS)["answer"]
    _decide(client, base, finding_id="g5", verdict="edit", grade="severe")
    assert "Severe" in _ask(client, base, "Is there spinal canal stenosis at T11-T12?")["answer"]
    for question in ("Where is the stenosis at T11-T12 seen?", "How sure is the stenosis at T11-T12?"):
        assert _ask(client, base, question)["answer"]


def test_a_conversation_is_kept_and_remembered(
    client: TestClient, base: str, client_of: Callable[..., TestClient], administrator: Actor
) -> None:
    _ask(client, base, "Is there foraminal narrowing on the right at L4-L5?")
    follow_up = _ask(client, base, "And on the left?")
    assert "left neural foraminal narrowing" in follow_up["answer"]
    kept = client.get(f"{base}/chat").json()
    assert [turn["question"] for turn in kept] == [
        "Is there foraminal narrowing on the right at L4-L5?", "And on the left?",
    ]  # fmt: skip
    assert (
        client_of(ROUTERS, administrator).get(f"{base}/chat").json() == []
    )  # of others nobody reads the questions


def test_what_is_not_answered_is_refused(client: TestClient, base: str) -> None:
    turn = _ask(client, base, "Should the patient be operated on?")
    assert turn["refused"]
    assert client.get(f"{base}/chat").json()[0]["refused"]


def test_the_audit_log_has_no_word_of_it(services: Services, client: TestClient, base: str) -> None:
    _ask(client, base, "Is Mr Smith's canal narrow at L4-L5?")
    with services.database.read() as session:
        line = session.scalar(select(AuditEntry).where(AuditEntry.action == "chat.ask"))
    assert line is not None
    assert line.details["models"]
    assert "Smith" not in json.dumps(line.details)
