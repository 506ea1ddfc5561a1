"""Health: told without a sign-in, in words that tell nothing else."""

import shutil
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.config import ServiceConfig
from service.services import Services
from service.store.base import now
from service.store.tables import WorkerBeat
from service.web import create_app

READY = {"status": "ready", "database": "ok", "disk": "ok", "worker": "ok"}


@pytest.fixture
def client(both_services: Services) -> TestClient:
    return TestClient(create_app(both_services.config), base_url="http://127.0.0.1", raise_server_exceptions=False)


def beat(services: Services, seconds_ago: float) -> None:
    with services.database.begin() as session:
        session.merge(WorkerBeat(id="worker-1", heard_at=now() - timedelta(seconds=seconds_ago)))


def test_the_process_answers(client: TestClient) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").json()) == (200, {"status": "ok"})


def test_ready_with_a_worker_that_was_heard_of(client: TestClient, both_services: Services) -> None:
    assert client.get("/readyz").json() == {**READY, "status": "not_ready", "worker": "failed"}
    beat(both_services, 1.0)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, READY)
    beat(both_services, ServiceConfig(home=both_services.config.home).lease_s + 1.0)
    assert client.get("/readyz").status_code == 503


def test_not_ready_on_a_full_disk(
    client: TestClient, both_services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(both_services, 0.0)
    full = shutil.disk_usage(both_services.config.home)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {**READY, "status": "not_ready", "disk": "failed"})


def test_not_ready_without_its_database(client: TestClient, both_services: Services, caplog: Any) -> None:
    both_services.database.downgrade("base")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (503, "failed")
    assert answer.json()["status"] == "not_ready"
    assert "sqlite" not in answer.text
    assert str(both_services.config.home) not in caplog.text
