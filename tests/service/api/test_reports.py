"""The report routes: from draft to signature through the API, who may what, and what is told when."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.accounts.actor import Actor
from service.api import audit, chat, exports, reports
from service.services import Services
from service.store.tables import AuditEntry
from service.store.words import Role
from tests.service.conftest import add_study, add_user

API = "/api/v1"
ROUTERS = (reports.router, chat.router, exports.router, audit.router)


@pytest.fixture
def study(services: Services, radiologist: Actor, document: dict[str, Any]) -> str:
    with services.database.begin() as session:
        return add_study(session, radiologist, document)[0].id


@pytest.fixture
def client(client_of: Callable[..., TestClient], radiologist: Actor) -> TestClient:
    return client_of(ROUTERS, radiologist)


def _json(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def _texts(report: dict[str, Any], section: str) -> list[str]:
    return [row["text"] for part in report["sections"] if part["name"] == section for row in part["sentences"]]


def _actions(services: Services) -> list[str]:
    with services.database.read() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


def test_a_report_is_answered_with_places_findings_and_the_gate(client: TestClient, study: str) -> None:
    report = _json(client.get(f"{API}/studies/{study}/report"))
    assert (report["status"], report["version"]) == ("draft", 1)
    sentence = next(row for row in report["sections"][1]["sentences"] if row["finding_ids"] == ["g75", "m87"])
    assert [place["finding_id"] for place in sentence["places"]] == ["g75", "m87"]
    assert (sentence["origin"], sentence["proposed_text"]) == ("machine", None)
    findings = {row["id"]: row for row in report["findings"]}
    assert "g76" not in findings  # a check is not reported on its own
    stenosis = findings["g75"]
    assert (stenosis["grade"], stenosis["is_positive"], stenosis["is_critical"]) == ("moderate", True, False)
    assert [choice["grade"] for choice in stenosis["choices"]] == ["normal_mild", "moderate", "severe"]
    positive = [row for row in findings.values() if row["is_positive"]]
    assert len(report["blockers"]) == len(positive) > 20
    assert not report["may_sign"]
    assert not report["may_review"]
    assert report["may_edit"]


def test_from_draft_to_signature_and_back_by_amendment(services: Services, client: TestClient, study: str) -> None:
    base = f"{API}/studies/{study}"
    report = _json(client.get(f"{base}/report"))
    body = {"version": 1, "finding_id": "g75", "verdict": "edit", "grade": "severe", "note": "seen on axial"}
    report = _json(client.post(f"{base}/decisions", json=body))
    assert "L4-L5: Severe spinal canal stenosis (canal AP diameter 6.5 mm)." in _texts(report, "findings")
    stenosis = next(row for row in report["findings"] if row["id"] == "g75")
    assert stenosis["decision"] | {"at": None} == {
        "verdict": "edit", "grade": "severe", "note": "seen on axial", "user": "Dr rad", "at": None,
    }  # fmt: skip
    assert stenosis["is_critical"]  # severe at L4-L5 crowds the cauda equina
    left = [row["id"] for row in report["findings"] if row["is_positive"] and row["decision"] is None]
    body = {"version": report["version"], "finding_ids": left, "verdict": "accept"}
    report = _json(client.post(f"{base}/decisions", json=body))
    assert report["blockers"] == ["Critical and not acknowledged: spinal canal stenosis at L4-L5."]
    body = {"version": report["version"], "finding_id": "g75"}
    report = _json(client.post(f"{base}/acknowledgements", json=body))
    assert (report["blockers"], report["may_review"], report["may_sign"]) == ([], True, False)
    report = _json(client.post(f"{base}/review", json={"version": report["version"]}))
    assert (report["status"], report["may_sign"]) == ("reviewed", True)
    assert client.get(f"{base}/export/pdf").headers["X-Report-Status"] == "reviewed"
    body = {"version": report["version"], "password": "rad"}
    report = _json(client.post(f"{base}/sign", json=body))
    assert (report["status"], report["signed"]["by"], report["may_amend"]) == ("signed", "Dr rad", True)
    refused = client.post(f"{base}/review", json={"version": report["version"]})
    assert _json(refused, 409)["error"]["code"] == "report_signed"
    body = {"version": report["version"], "reason": "addendum"}
    report = _json(client.post(f"{base}/amend", json=body))
    assert (report["status"], report["signed"], report["may_sign"]) == ("amended", None, True)
    versions = _json(client.get(f"{base}/versions"))
    assert [row["version"] for row in versions] == [7, 6, 5, 4, 3, 2, 1]
    assert versions[0]["what"] == "amended: addendum"
    diff = _json(client.get(f"{base}/diff", params={"from": 0, "to": 6}))
    assert {word["op"] for part in diff["sections"] for word in part["words"]} == {"equal", "insert", "delete"}
    decided = next(row for row in diff["decisions"] if row["finding_id"] == "g75")
    assert decided["before"] is None
    assert decided["after"] == {"verdict": "edit", "grade": "severe", "note": "seen on axial"}
    assert _actions(services) == [
        "report.view", "report.decide", "report.decide", "report.acknowledge", "report.review", "report.export",
        "report.sign", "report.amend",
    ]  # fmt: skip


def test_text_is_edited_and_withdrawn_decisions_give_the_machines_words_back(
    client: TestClient, study: str
) -> None:
    base = f"{API}/studies/{study}"
    first = _json(client.get(f"{base}/report"))
    sections = [
        {"name": part["name"], "sentences": [{"id": row["id"], "text": row["text"]} for row in part["sentences"]]}
        for part in first["sections"]
    ]
    sections[1]["sentences"].append({"id": None, "text": "L3-L4: Conus at a normal level."})
    report = _json(client.put(f"{base}/report", json={"version": 1, "sections": sections}))
    added = report["sections"][1]["sentences"][-1]
    assert (added["origin"], added["source"], added["status"]) == ("human", "human", "unsupported")
    body = {"version": 2, "finding_id": "g78", "verdict": "reject"}
    report = _json(client.post(f"{base}/decisions", json=body))
    assert "right neural foraminal narrowing" not in " ".join(_texts(report, "findings"))
    report = _json(client.delete(f"{base}/decisions/g78", params={"version": 3}))
    assert _texts(report, "findings")[:-1] == _texts(first, "findings")
    assert _texts(report, "impression") == _texts(first, "impression")


def test_a_stale_version_is_answered_with_the_one_that_stands(client: TestClient, study: str) -> None:
    body = {"version": 1, "finding_id": "g75", "verdict": "accept"}
    _json(client.post(f"{API}/studies/{study}/decisions", json=body))
    answer = _json(client.post(f"{API}/studies/{study}/decisions", json=body), 409)
    assert answer["error"]["code"] == "stale"
    assert answer["current_version"] == 2


@pytest.mark.parametrize("body", [
    {"version": 1, "verdict": "accept"}, {"version": 0, "finding_id": "g75", "verdict": "accept"},
    {"version": 1, "finding_id": "g75", "verdict": "agree"},
    {"version": 2**40, "finding_id": "g1", "verdict": "accept"},
    {"version": 1, "finding_id": "x' OR 1", "verdict": "accept"},
    {"version": 1, "finding_id": "g75", "verdict": "accept", "note": "a\u0000b"},
    {"version": 1, "finding_id": "g75", "verdict": "accept", "note": "abc \u202e def"},
    {"version": 1, "finding_id": "g75", "verdict": "accept", "user": "somebody else"},
])  # fmt: skip
def test_bodies_that_do_not_fit_are_refused(client: TestClient, study: str, body: dict[str, Any]) -> None:
    assert _json(client.post(f"{API}/studies/{study}/decisions", json=body), 422)["error"]["code"] == "invalid"


def test_unknown_findings_are_not_found(client: TestClient, study: str) -> None:
    body = {"version": 1, "finding_id": "g999", "verdict": "accept"}
    _json(client.post(f"{API}/studies/{study}/decisions", json=body), 404)
    _json(client.delete(f"{API}/studies/{study}/decisions/g75", params={"version": 1}), 404)


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "report", {"version": 1, "sections": []}),
    ("POST", "report/reading", {"version": 1, "reading_id": "0" * 32}),
    ("POST", "decisions", {"version": 1, "finding_id": "g75", "verdict": "accept"}),
    ("DELETE", "decisions/g75?version=1", {}),
    ("POST", "acknowledgements", {"version": 1, "finding_id": "g75"}),
    ("POST", "review", {"version": 1}),
    ("POST", "sign", {"version": 1, "password": "x"}),
    ("POST", "amend", {"version": 1, "reason": "x"}),
]
READS = ["report", "versions", "diff", "chat", "export/md", "export/html", "export/pdf", "export/json"]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_changes_take_a_radiologist_who_has_the_study(
    services: Services, client_of: Callable[..., TestClient], study: str, stranger: Actor, administrator: Actor,
    researcher: Actor, method: str, path: str, body: dict[str, Any],
) -> None:  # fmt: skip
    for actor, status in ((None, 401), (stranger, 404), (researcher, 404), (administrator, 403)):
        answer = client_of(ROUTERS, actor).request(method, f"{API}/studies/{study}/{path}", json=body)
        assert answer.status_code == status
    assert "report.decide" not in _actions(services)


def test_group_members_read_and_only_its_radiologists_decide(
    services: Services, client_of: Callable[..., TestClient], document: dict[str, Any]
) -> None:
    owner, colleague = add_user(services, "owner", group="spine"), add_user(services, "colleague", group="spine")
    scholar = add_user(services, "scholar", Role.RESEARCHER, group="spine")
    with services.database.begin() as session:
        study = add_study(session, owner, document, group_id=next(iter(owner.group_ids)))[0].id
    body = {"version": 1, "finding_id": "g75", "verdict": "accept"}
    reader = client_of(ROUTERS, scholar)
    report = _json(reader.get(f"{API}/studies/{study}/report"))
    assert not report["may_edit"]
    assert not report["may_review"]
    assert reader.post(f"{API}/studies/{study}/decisions", json=body).status_code == 403
    assert client_of(ROUTERS, colleague).post(f"{API}/studies/{study}/decisions", json=body).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_reading_takes_a_study_of_ones_own(
    client_of: Callable[..., TestClient], study: str, stranger: Actor, administrator: Actor, path: str
) -> None:
    for actor, status in ((None, 401), (stranger, 404), (administrator, 200)):
        assert client_of(ROUTERS, actor).get(f"{API}/studies/{study}/{path}").status_code == status
    assert client_of(ROUTERS, administrator).get(f"{API}/studies/{'0' * 32}/{path}").status_code == 404
    assert client_of(ROUTERS, administrator).get(f"{API}/studies/..%2f{study}/{path}").status_code in (404, 422)


def test_looking_is_audited_once_for_each_sign_in(
    services: Services, client: TestClient, client_of: Callable[..., TestClient], study: str, administrator: Actor
) -> None:
    for _ in range(3):
        client.get(f"{API}/studies/{study}/report")
    client_of(ROUTERS, administrator).get(f"{API}/studies/{study}/report")
    assert _actions(services) == ["report.view", "report.view"]


def test_a_study_without_an_earlier_one_has_no_comparison(client: TestClient, study: str) -> None:
    assert _json(client.get(f"{API}/studies/{study}/comparison"), 404)["error"]["code"] == "no_prior"


def test_files_are_attachments_of_a_name_nobody_typed(client: TestClient, study: str) -> None:
    answer = client.get(f"{API}/studies/{study}/export/pdf")
    assert answer.headers["content-disposition"] == 'attachment; filename="report-draft-df16d7a0f45ca0bd-v1.pdf"'
    assert answer.headers["x-report-status"] == "draft"
    assert answer.headers["content-type"] == "application/pdf"
    assert client.get(f"{API}/studies/{study}/export/doc").status_code == 422
