"""A user's past readings: whose, what is told of them, filters and pages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.accounts.actor import Actor
from service.api.history import router
from service.services import Services
from service.store.tables import Decision, ReportVersion, StudyReport
from service.store.words import ReportStatus, Verdict
from tests.service.conftest import add_study, add_user

ADDRESS = "/api/v1/history"


@pytest.fixture
def colleague(services: Services) -> Actor:
    return add_user(services, "colleague", group="spine")


@pytest.fixture
def reader(services: Services) -> Actor:
    return add_user(services, "reader", group="spine")


@pytest.fixture
def ask(client_of: Callable[..., TestClient], reader: Actor) -> Callable[..., dict[str, Any]]:
    """Return a function (filters) -> the reader's history."""

    def build(**filters: Any) -> dict[str, Any]:
        answer = client_of([router], reader).get(ADDRESS, params=filters)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    return build


def store(services: Services, owner: Actor, document: Any, *, label: str = "", **fields: Any) -> str:
    with services.database.begin() as session:
        study, _ = add_study(session, owner, document, **fields)
        study.label = label
        return study.id


def test_own_studies_with_versions_verdicts_and_signature(
    services: Services, reader: Actor, document: Any, ask: Callable[..., Any]
) -> None:
    study_id = store(services, reader, document, label="knee? no, spine")
    moment = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    with services.database.begin() as session:
        report = session.get_one(StudyReport, study_id)
        report.status, report.signed_by, report.signed_at = "signed", reader.user_id, moment
        report.updated_at = moment
        for version in (2, 3):
            session.add(ReportVersion(study_id=study_id, version=version, status="draft", content={}))
        for number, verdict in enumerate((Verdict.ACCEPT, Verdict.ACCEPT, Verdict.EDIT)):
            session.add(
                Decision(study_id=study_id, finding_id=f"g{number}", verdict=verdict.value, user_id=reader.user_id)
            )
    told = ask()
    assert told["total"] == 1
    (item,) = told["items"]
    assert (item["id"], item["is_owner"], item["protocol"]) == (study_id, True, "lumbar")
    assert (item["report_status"], item["versions"]) == ("signed", 2)
    assert item["signed"] == {"by": "Dr reader", "at": "2026-05-04T09:30:00Z"}
    assert (item["accepts"], item["edits"], item["rejects"]) == (2, 1, 0)


def test_studies_that_the_user_worked_on_count_too(
    services: Services, reader: Actor, colleague: Actor, document: Any, ask: Callable[..., Any]
) -> None:
    group = next(iter(reader.group_ids))
    decided, edited, signed, _untouched = (
        store(services, colleague, document, group_id=group, label=name) for name in ("d", "e", "s", "u")
    )
    with services.database.begin() as session:
        session.add(Decision(study_id=decided, finding_id="g1", verdict="accept", user_id=reader.user_id))
        session.add(
            ReportVersion(study_id=edited, version=2, status="draft", content={}, author_id=reader.user_id)
        )
        session.get_one(StudyReport, signed).signed_by = reader.user_id
    told = ask()
    assert {item["id"] for item in told["items"]} == {decided, edited, signed}
    assert not any(item["is_owner"] for item in told["items"])


def test_what_the_user_may_no_longer_see_is_not_told(
    services: Services, reader: Actor, colleague: Actor, document: Any, ask: Callable[..., Any]
) -> None:
    study_id = store(services, colleague, document)
    with services.database.begin() as session:
        session.add(Decision(study_id=study_id, finding_id="g1", verdict="accept", user_id=reader.user_id))
    assert ask() == {"items": [], "total": 0}


def test_filters_by_day_text_and_status(
    services: Services, reader: Actor, document: Any, ask: Callable[..., Any]
) -> None:
    early, late = (store(services, reader, document, label=name) for name in ("Alpha 100%", "Beta"))
    with services.database.begin() as session:
        session.get_one(StudyReport, early).updated_at = datetime(2026, 1, 1, 23, 59, tzinfo=UTC)
        session.get_one(StudyReport, late).updated_at = datetime(2026, 1, 2, tzinfo=UTC)
        session.get_one(StudyReport, late).status = ReportStatus.REVIEWED.value

    def ids(**filters: Any) -> list[str]:
        return [item["id"] for item in ask(**filters)["items"]]

    assert ids() == [late, early]
    assert ids(since="2026-01-02") == [late]
    assert ids(until="2026-01-01") == [early]
    assert ids(search="alpha lumbar") == [early]
    assert ids(search="100%") == [early]
    assert ids(search="alpha beta") == []
    assert ids(report="reviewed") == [late]
    assert ids(limit=1, offset=1) == [early]
    assert ask(limit=1)["total"] == 2
    assert ids(until="9999-12-31", since="0001-01-01") == [late, early]


def test_bad_filters_and_strangers(client_of: Callable[..., TestClient], reader: Actor) -> None:
    assert client_of([router], None).get(ADDRESS).status_code == 401
    for query in ("since=yesterday", "report=lost", "limit=0", "limit=1000", "offset=-1"):
        assert client_of([router], reader).get(f"{ADDRESS}?{query}").status_code == 422
