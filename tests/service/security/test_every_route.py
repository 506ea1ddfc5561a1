"""Every route knocked at without a sign-in, by the wrong user, in the wrong role, and without the CSRF token.

The routes are those of the application: a new one is tried without a line here. What is open, and what takes a
radiologist, are short lists; everything else follows from the routes themselves.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.accounts import passwords
from service.accounts.sessions import cookie_name, open_session
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import Evaluation, Role, User
from tests.service.conftest import add_study, add_user
from tests.service.security.every_route import Knock, all_knocks, build_application, fill, request_of

OPEN = {
    "GET /healthz",
    "GET /readyz",
    "GET /login",
    "POST /api/v1/session",
    "GET /api/v1/session/oidc",
    "GET /api/v1/session/oidc/callback",
    "GET /static/mounted",
}
"""Answered without a sign-in."""

RADIOLOGISTS = {
    "PUT /api/v1/studies/{study_id}/report",
    "POST /api/v1/studies/{study_id}/decisions",
    "DELETE /api/v1/studies/{study_id}/decisions/{finding_id}",
    "POST /api/v1/studies/{study_id}/acknowledgements",
    "POST /api/v1/studies/{study_id}/review",
    "POST /api/v1/studies/{study_id}/sign",
    "POST /api/v1/studies/{study_id}/amend",
}
"""Not even administrators, who see every study, may decide and sign."""

OWNED = ("{study_id}", "{reading_id}", "{evaluation_id}")
"""Parameters that name what belongs to somebody."""

KNOCKS = all_knocks()
CLOSED = [knock for knock in KNOCKS if str(knock) not in OPEN]
UNSAFE = [knock for knock in CLOSED if knock.is_unsafe]
WITH_ROLES = [knock for knock in CLOSED if knock.roles]
BELONGING = [knock for knock in CLOSED if any(name in knock.path for name in OWNED)]
SIGNING = [knock for knock in CLOSED if str(knock) in RADIOLOGISTS]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class House:
    """The application with one study, one evaluation, and one signed-in browser for each kind of user."""

    def __init__(self, services: Services, document: dict[str, Any]) -> None:
        self.app: FastAPI = build_application(services)
        self.openapi = self.app.openapi()
        self._services = services
        self._tokens: dict[str, tuple[str, str]] = {}
        roles = {
            "owner": Role.RADIOLOGIST,
            "stranger": Role.RADIOLOGIST,
            "researcher": Role.RESEARCHER,
            "other researcher": Role.RESEARCHER,
            "administrator": Role.ADMINISTRATOR,
        }
        actors = {name: add_user(services, name, role) for name, role in roles.items()}
        with services.database.begin() as session:
            study, reading = add_study(session, actors["owner"], document)
            evaluation = Evaluation(user_id=actors["researcher"].user_id, task="segmentation")
            session.add(evaluation)
            session.flush()
            for name, actor in actors.items():
                row, token = open_session(session, services.config, session.get_one(User, actor.user_id))
                self._tokens[name] = (token, row.csrf_token)
            self.values = {
                "study_id": study.id,
                "reading_id": reading.id,
                "evaluation_id": evaluation.id,
                "user_id": actors["stranger"].user_id,
                "finding_id": document["grades"][0]["id"],
                "name": "reading.json",
                "kind": "json",
            }

    def knock(self, knock: Knock, who: str | None, *, has_csrf: bool = True):  # type: ignore[no-untyped-def]
        """Send a right request to a route, as one kind of user or nobody."""
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        if who is not None:
            token, csrf = self._tokens[who]
            client.cookies.set(cookie_name(self._services.config), token)
            if has_csrf:
                client.headers["X-CSRF-Token"] = csrf
        address = fill(knock.path, self.values, knock.operation)
        return client.request(knock.method, address, **request_of(knock, self.openapi))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> Iterator[House]:
    services = Services.open(ServiceConfig(home=tmp_path_factory.mktemp("house")))
    quick = pytest.MonkeyPatch()
    quick.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=1024))
    yield House(services, document)
    quick.undo()
    services.database.close()


@pytest.mark.parametrize("knock", CLOSED, ids=str)
def test_nobody_gets_in_without_a_sign_in(house: House, knock: Knock) -> None:
    answer = house.knock(knock, None)
    if knock.is_api or knock.is_unsafe:
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    elif answer.status_code != 401:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("knock", UNSAFE, ids=str)
def test_nothing_is_changed_without_the_csrf_token(house: House, knock: Knock) -> None:
    answer = house.knock(knock, "administrator", has_csrf=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")


@pytest.mark.parametrize("knock", [knock for knock in CLOSED if knock.is_api and knock.operation], ids=str)
def test_every_route_asks_by_itself_who_it_is(knock: Knock) -> None:
    """The wall outside is not the only one: each route depends on the actor."""
    assert knock.asks_who


@pytest.mark.parametrize("knock", WITH_ROLES, ids=str)
def test_the_wrong_role_is_refused(house: House, knock: Knock) -> None:
    kinds = {"owner": Role.RADIOLOGIST, "researcher": Role.RESEARCHER, "administrator": Role.ADMINISTRATOR}
    for who, role in kinds.items():
        if role not in knock.roles:
            answer = house.knock(knock, who)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), who


@pytest.mark.parametrize("knock", SIGNING, ids=str)
def test_administrators_neither_decide_nor_sign(house: House, knock: Knock) -> None:
    answer = house.knock(knock, "administrator")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), answer.text


@pytest.mark.parametrize("knock", BELONGING, ids=str)
def test_what_belongs_to_others_does_not_exist(house: House, knock: Knock) -> None:
    who = "other researcher" if Role.RESEARCHER in knock.roles else "stranger"
    answer = house.knock(knock, who)
    assert answer.status_code == 404, answer.text
    if knock.is_api:
        told = answer.json()["error"]["message"]
        assert "not yours" in told, "the refusal must come from the check of who may see it"


def test_the_lists_name_routes_that_exist_or_are_expected() -> None:
    assert len(KNOCKS) == len({str(knock) for knock in KNOCKS})
    assert {"GET /api/v1/users", "POST /api/v1/session"} <= {str(knock) for knock in KNOCKS}
    assert not any(knock.path.startswith(("/docs", "/redoc")) for knock in KNOCKS)
