"""The routes of one study: record, changes, events; strangers get 404 everywhere."""

import json
import threading
from collections.abc import Callable
from threading import Event
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient

from service.accounts.actor import Actor
from service.api.studies import router
from service.jobs.worker import run_worker
from service.services import Services
from service.store.tables import AuditEntry
from service.studies import progress
from service.studies.lifecycle import cancel_study, delete_study, retry_study
from service.studies.progress import ProgressBoard, progress_events
from tests.service.conftest import add_study
from tests.service.jobs.fakes import picture
from tests.service.jobs.steps import ONCE, accept, jobs_of, study_of

STUDIES = "/api/v1/studies"


@pytest.fixture
def client(client_of: Callable[..., TestClient], radiologist: Actor) -> TestClient:
    return client_of([router], radiologist)


def test_a_view_is_noted_once_in_five_minutes(client: TestClient, services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist)
    for _ in range(3):
        assert client.get(f"{STUDIES}/{study_id}").json()["id"] == study_id
    with services.database.read() as session:
        assert session.query(AuditEntry).filter_by(action="study.view", actor="rad").count() == 1


def test_the_life_of_a_study_by_its_routes(
    client: TestClient, services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    study_id = accept(services, radiologist)
    changed = client.patch(f"{STUDIES}/{study_id}", json={"label": "Bed 4"})
    assert (changed.status_code, changed.json()["label"]) == (200, "Bed 4")
    cancelled = client.post(f"{STUDIES}/{study_id}/cancel").json()
    assert cancelled["error"] == {"code": "cancelled", "message": "cancelled by the user"}
    assert client.post(f"{STUDIES}/{study_id}/cancel").status_code == 409
    assert client.post(f"{STUDIES}/{study_id}/retry").status_code == 202
    assert client.post(f"{STUDIES}/{study_id}/retry").status_code == 409
    assert client.post(f"{STUDIES}/{study_id}/readings", json={}).status_code == 409
    assert client.delete(f"{STUDIES}/{study_id}").status_code == 204
    assert client.get(f"{STUDIES}/{study_id}").status_code == 404
    with services.database.begin() as session:
        ready = add_study(session, radiologist, document)[0].id
    body = {"writer": "composer", "anchor": "L5-S1=201,388"}
    assert client.post(f"{STUDIES}/{ready}/readings", json=body).status_code == 202
    assert jobs_of(services, ready)[-1].options == {"protocol": "auto", **body}
    for wrong in ({"anchor": "here"}, {"writer": "gpt"}, {"path": "/"}):
        assert client.post(f"{STUDIES}/{ready}/readings", json=wrong).status_code == 422


def test_strangers_find_nothing(
    client_of: Callable[..., TestClient], services: Services, radiologist: Actor, stranger: Actor
) -> None:
    study_id = accept(services, radiologist)
    client = client_of([router], stranger)
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"label": "x"}), ("DELETE", "", None), ("POST", "/cancel", None),
        ("POST", "/retry", None), ("POST", "/readings", {}), ("GET", "/events", None),
    ):  # fmt: skip
        assert client.request(method, f"{STUDIES}/{study_id}{path}", json=body).status_code == 404, (method, path)
    assert study_of(services, study_id).status == "queued"


def test_events_tell_the_progress_and_end(
    client: TestClient, services: Services, radiologist: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "POLL_S", 0.3)
    study_id = accept(services, radiologist, picture("read", seconds=1.2))
    worker = threading.Timer(0.3, run_worker, (services,), {"stop": Event(), "options": ONCE})
    worker.start()
    answer = client.get(f"{STUDIES}/{study_id}/events")
    worker.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    names = [lines[0] for lines in told]
    assert names == ["event: progress"] * (len(names) - 1) + ["event: done"]
    states = [json.loads(lines[1].removeprefix("data: ")) for lines in told]
    assert {"imaging"} <= {state["stage"] for state in states}
    assert states[-1] == {
        "status": "ready", "state": "done", "stage": "done", "fraction": 1.0, "message": "grading",
        "queue_position": None,
    }  # fmt: skip


def test_who_comes_after_a_retry_does_not_see_what_was_before(
    services: Services, radiologist: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "POLL_S", 60.0)
    study_id, board = accept(services, radiologist), ProgressBoard(services.database)

    async def first_of() -> str:
        with board.watch(study_id):
            state = await board.state(study_id)
        assert state is not None
        return str(state["state"])

    async def look() -> list[str]:
        found = [await first_of()]
        for change in (cancel_study, retry_study):
            await anyio.to_thread.run_sync(change, services, radiologist, study_id)
            found.append(await first_of())
        return found

    assert anyio.run(look) == ["queued", "cancelled", "queued"]


def test_one_query_serves_all_who_watch(
    services: Services, radiologist: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "POLL_S", 0.1)
    monkeypatch.setattr(progress, "COMMENT_S", 0.15)
    studies = [accept(services, radiologist) for _ in range(3)]
    board = ProgressBoard(services.database)
    reads: list[int] = []
    read = board._read
    monkeypatch.setattr(board, "_read", lambda ids: reads.append(len(ids)) or read(ids))
    seen: dict[str, list[str]] = {study_id: [] for study_id in studies}

    async def listen(study_id: str) -> None:
        async for event in progress_events(board, study_id):
            seen[study_id].append(event)

    async def listen_all() -> None:
        async with anyio.create_task_group() as group:
            for study_id in studies:
                for _ in range(10):
                    group.start_soon(listen, study_id)
            await anyio.sleep(0.5)
            cancel_study(services, radiologist, studies[0])
            cancel_study(services, radiologist, studies[1])
            await anyio.sleep(0.3)
            delete_study(services, radiologist, studies[2])

    anyio.run(listen_all)
    assert len(reads) < 60
    assert '"queue_position": 3' in seen[studies[2]][0]
    assert all(": still here\n\n" in events for events in seen.values())
    assert all(events[-1].startswith("event: done") for events in seen.values())
    assert not board._watched
