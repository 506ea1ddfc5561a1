"""What tests of accounts share: quick hashes, a clock to turn, users with passwords, a secured application."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from service.accounts import passwords, sessions, throttle
from service.accounts.users import add_user
from service.api import oidc, session, users
from service.api.application import build_api
from service.security import secure
from service.services import Services
from service.store.base import now
from service.store.tables import User
from service.store.words import Role

PASSWORD = "correct horse battery"


class Clock:
    """The time of sign-ins and of the rate limit; turned by hand."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self.stopped_at: datetime | None = None

    def stop(self) -> None:
        """Let no time pass but by ``turn``: a busy machine takes seconds for a few sign-ins."""
        self.stopped_at = now()

    def turn(self, **by: float) -> None:
        self.offset += timedelta(**by)

    def __call__(self):  # type: ignore[no-untyped-def]
        return (self.stopped_at or now()) + self.offset


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=1024))
    passwords._nobodys_hash.cache_clear()
    yield
    passwords._nobodys_hash.cache_clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(sessions, "now", turned)
    monkeypatch.setattr(throttle, "now", turned)
    return turned


@pytest.fixture
def person(services: Services) -> Callable[..., User]:
    """Return a function (name, role) -> user with a password."""

    def add(name: str, role: Role = Role.RADIOLOGIST, password: str | None = PASSWORD) -> User:
        with services.database.begin() as writing:
            return add_user(writing, "system", name, role=role, password=password)

    return add


@pytest.fixture
def browser(services: Services) -> Callable[[], TestClient]:
    """Return a function -> a new browser at the secured application."""
    app = build_api(services, [session.router, users.router, oidc.router])
    secure(app, services)
    return lambda: TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def log_in(client: TestClient, name: str, password: str = PASSWORD) -> TestClient:
    """Sign a browser in; its unsafe requests carry the CSRF token from then on."""
    answer = client.post("/api/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return client
