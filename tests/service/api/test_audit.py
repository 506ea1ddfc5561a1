"""The audit routes: for administrators alone."""

from collections.abc import Callable

from fastapi.testclient import TestClient

from service.accounts.actor import Actor
from service.api import audit
from service.audit import append
from service.services import Services

API = "/api/v1/audit"


def test_only_administrators_see_the_log(
    client_of: Callable[..., TestClient], radiologist: Actor, researcher: Actor, administrator: Actor
) -> None:
    for actor, status in ((None, 401), (radiologist, 403), (researcher, 403), (administrator, 200)):
        client = client_of([audit.router], actor)
        assert client.get(API).status_code == status
        assert client.get(f"{API}/verify").status_code == status


def test_the_log_is_listed_and_verified(
    services: Services, client_of: Callable[..., TestClient], administrator: Actor
) -> None:
    with services.database.begin() as session:
        for number in range(3):
            append(session, "rad", "report.view", subject=f"study:{number}")
    client = client_of([audit.router], administrator)
    page = client.get(API, params={"actor": "rad", "limit": 2}).json()
    assert ([line["seq"] for line in page["items"]], page["total"]) == ([3, 2], 3)
    found = client.get(f"{API}/verify").json()
    assert (found["intact"], found["count"]) == (True, 3)
    assert client.get(f"{API}/verify", params={"expect_head": found["head"]}).json()["intact"]
    assert client.get(f"{API}/verify", params={"expect_head": "f" * 64}).json()["how"] == "truncated"
    assert client.get(API, params={"action": "audit.verify"}).json()["total"] == 3


def test_odd_filters_are_refused(client_of: Callable[..., TestClient], administrator: Actor) -> None:
    client = client_of([audit.router], administrator)
    for query in ({"since": "2026-01-01T00:00:00"}, {"limit": 0}, {"subject": "a\u0000"}, {"offset": -1}):
        assert client.get(API, params=query).status_code == 422
