"""The worklist: who sees what, every filter, every order; and the summary it shows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.accounts.actor import Actor
from service.api.studies import router
from service.jobs.summary import finding_rows, levels_summary
from service.services import Services
from service.store.base import now
from service.store.tables import Group, Study, StudyReport
from service.store.words import ReportStatus, Role
from service.studies.worklist import Order, Wanted, list_studies
from tests.service.conftest import add_study, add_user


def _add(services: Services, owner: Actor, document: dict[str, Any], label: str, **fields: Any) -> str:
    with services.database.begin() as session:
        study, _ = add_study(session, owner, document)
        session.add_all(finding_rows(study.id, document))
        study.label = label
        for name, value in fields.items():
            setattr(study, name, value)
        return study.id


def _labels(services: Services, actor: Actor, **wanted: Any) -> list[str]:
    with services.database.read() as session:
        return [study.label for study in list_studies(session, actor, Wanted(**wanted))[0]]


@pytest.fixture
def three(services: Services, radiologist: Actor, document: dict[str, Any]) -> None:
    """Add a light old study, a heavy new one and a critical one in between."""
    moment = now()
    _add(services, radiologist, document, "light", burden=5.0, created_at=moment - timedelta(hours=3))
    _add(services, radiologist, document, "critical", burden=4.0, created_at=moment, is_critical=True)
    _add(services, radiologist, document, "heavy", burden=70.0, created_at=moment - timedelta(hours=1))


@pytest.mark.usefixtures("three")
def test_orders(services: Services, radiologist: Actor) -> None:
    assert _labels(services, radiologist) == ["critical", "heavy", "light"]
    assert _labels(services, radiologist, order=Order.NEWEST) == ["critical", "heavy", "light"]
    assert _labels(services, radiologist, order=Order.OLDEST) == ["light", "heavy", "critical"]
    assert _labels(services, radiologist, order=Order.BURDEN) == ["heavy", "light", "critical"]


def test_of_equal_burden_the_one_that_waits_longest_comes_first_and_no_burden_last(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    moment = now()
    _add(services, radiologist, document, "queued", burden=None, status="queued")
    _add(services, radiologist, document, "late", burden=5.0, created_at=moment)
    _add(services, radiologist, document, "early", burden=5.0, created_at=moment - timedelta(hours=1))
    assert _labels(services, radiologist) == ["early", "late", "queued"]


@pytest.mark.usefixtures("three")
def test_what_is_signed_waits_for_nobody(services: Services, radiologist: Actor) -> None:
    with services.database.begin() as session:
        study = session.query(Study).filter_by(label="critical").one()
        session.get_one(StudyReport, study.id).status = "signed"
    assert _labels(services, radiologist) == ["heavy", "light", "critical"]
    assert _labels(services, radiologist, report=ReportStatus.SIGNED) == ["critical"]


@pytest.mark.usefixtures("three")
def test_pages(services: Services, radiologist: Actor) -> None:
    assert _labels(services, radiologist, limit=1, offset=1) == ["heavy"]
    with services.database.read() as session:
        assert list_studies(session, radiologist, Wanted(limit=1))[1] == 3


def test_findings_are_filtered_by_one_and_the_same_finding(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    normal = _with_one_grade(document, "L1-L2", "normal_mild")
    _add(services, radiologist, normal, "normal")
    _add(services, radiologist, _with_one_grade(document, "L4-L5", "severe"), "severe")
    stenosis = {"condition": "spinal_canal_stenosis"}
    assert _labels(services, radiologist, **stenosis) == ["severe"]
    assert _labels(services, radiologist, level="L4-L5") == ["severe"]
    assert _labels(services, radiologist, level="L1-L2") == []
    assert _labels(services, radiologist, **stenosis, level="L1-L2", grade="normal_mild") == ["normal"]
    assert _labels(services, radiologist, **stenosis, level="L1-L2", grade="severe") == []
    assert _labels(services, radiologist, grade="severe") == ["severe"]


def _with_one_grade(document: dict[str, Any], level: str, grade: str) -> dict[str, Any]:
    row = next(item for item in document["grades"] if item["condition"] == "spinal_canal_stenosis")
    return {**document, "grades": [{**row, "level": level, "grade": grade}]}


def test_search_takes_signs_as_they_are(services: Services, radiologist: Actor, document: dict[str, Any]) -> None:
    study_id = _add(services, radiologist, document, "Knee 100% L4_5")
    for text in ("100%", "l4_5", study_id[:8], document["study"]["key"][:6]):
        assert _labels(services, radiologist, search=text) == ["Knee 100% L4_5"]
    for text in ("100_", "%%", "x' OR 1=1 --"):
        assert _labels(services, radiologist, search=text) == []


def test_who_sees_what(services: Services, document: dict[str, Any]) -> None:
    owner, friend = add_user(services, "owner", group="ward"), add_user(services, "friend", group="ward")
    stranger, admin = add_user(services, "stranger"), add_user(services, "admin", Role.ADMINISTRATOR)
    with services.database.read() as session:
        group = session.query(Group).one().id
    _add(services, owner, document, "shared", group_id=group)
    _add(services, owner, document, "own")
    assert sorted(_labels(services, owner)) == ["own", "shared"]
    assert _labels(services, friend) == ["shared"]
    assert _labels(services, friend, is_mine=True) == []
    assert _labels(services, stranger) == []
    assert len(_labels(services, admin)) == 2


def test_the_route_checks_what_it_is_asked(
    client_of: Callable[..., TestClient], radiologist: Actor, services: Services, document: dict[str, Any]
) -> None:
    _add(services, radiologist, document, "one")
    client = client_of([router], radiologist)
    page = client.get(
        "/api/v1/studies", params={"status": "ready", "report": "draft", "protocol": "lumbar"}
    ).json()
    assert page["total"] == 1
    (study,) = page["items"]
    assert (study["report_status"], study["owner"]["name"]) == ("draft", "Dr rad")
    assert study["readings"][0]["writer"] == "spine-tiny"
    assert study["job"]["state"] == "done"
    for wrong in ({"order": "odd"}, {"limit": 1000}, {"status": "lost"}, {"offset": -1}):
        assert client.get("/api/v1/studies", params=wrong).status_code == 422
    assert client_of([router], None).get("/api/v1/studies").status_code == 401


def test_a_summary_says_when_nothing_was_found_or_graded(document: dict[str, Any]) -> None:
    none = [{**grade, "grade": None} for grade in document["grades"]]
    bare = {**document, "grades": none, "burden": {"terms": []}}
    assert levels_summary(bare) == "nothing graded"
    normal = {**none[0], "scale": "presence", "condition": "disc_bulging", "grade": "absent"}
    assert levels_summary({**bare, "grades": [normal]}) == "nothing positive"
    left = {**normal, "grade": "moderate", "scale": "rsna", "condition": "neural_foraminal_narrowing"}
    assert levels_summary({**bare, "grades": [{**left, "side": "left", "level": "L4-L5"}]}) == (
        "L4-L5 moderate left neural foraminal narrowing"
    )
