"""Every route knocked at without a sign-in, by the wrong user, in the wrong role, and without the CSRF token.

The routes are those of the application: a new one is tried without a line here. What is open, and what takes a
radiologist, are short lists; everything else follows from the routes themselves.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.accounts.sessions import cookie_name, open_session
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import Evaluation, User
from service.store.words import Role
from service.web import create_app
from tests.service.conftest import add_study, add_user
from tests.service.security.every_route import Knock, fill, knocks_of, request_of

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
    "POST /api/v1/studies/{study_id}/report/reading",
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

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class House:
    """The application with one study, one evaluation, and one signed-in browser for each kind of user."""

    def __init__(self, app: FastAPI, document: dict[str, Any]) -> None:
        services: Services = app.state.services
        self.app = app
        self.openapi = app.openapi()
        self.knocks = sorted(knocks_of(app), key=str)
        self.closed = [knock for knock in self.knocks if str(knock) not in OPEN]
        self._cookie = cookie_name(services.config)
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
            }

    def knock(self, knock: Knock, who: str | None, *, has_csrf: bool = True):  # type: ignore[no-untyped-def]
        """Send a right request to a route, as one kind of user or nobody."""
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        if who is not None:
            token, csrf = self._tokens[who]
            client.cookies.set(self._cookie, token)
            if has_csrf:
                client.headers["X-CSRF-Token"] = csrf
        address = fill(knock, self.values, self.openapi)
        return client.request(knock.method, address, **request_of(knock, self.values, self.openapi))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> Iterator[House]:
    app = create_app(ServiceConfig(home=tmp_path_factory.mktemp("house")))
    yield House(app, document)
    app.state.services.database.close()


def test_nobody_gets_in_without_a_sign_in(house: House, subtests: pytest.Subtests) -> None:
    for knock in house.closed:
        with subtests.test(str(knock)):
            answer = house.knock(knock, None)
            if knock.is_api or knock.is_unsafe:
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
            elif answer.status_code != 401:
                assert answer.status_code == 303
                assert answer.headers["location"].startswith("/login")


def test_nothing_is_changed_without_the_csrf_token(house: House, subtests: pytest.Subtests) -> None:
    for knock in (knock for knock in house.closed if knock.is_unsafe):
        with subtests.test(str(knock)):
            answer = house.knock(knock, "administrator", has_csrf=False)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")


def test_every_route_asks_by_itself_who_it_is(house: House, subtests: pytest.Subtests) -> None:
    """The wall outside is not the only one: each route of the API depends on the actor."""
    for knock in (knock for knock in house.closed if knock.is_api and knock.operation):
        with subtests.test(str(knock)):
            assert knock.asks_who


def test_the_wrong_role_is_refused(house: House, subtests: pytest.Subtests) -> None:
    kinds = {"owner": Role.RADIOLOGIST, "researcher": Role.RESEARCHER, "administrator": Role.ADMINISTRATOR}
    for knock in (knock for knock in house.closed if knock.roles):
        for who in (who for who, role in kinds.items() if role not in knock.roles):
            with subtests.test(f"{knock} as {who}"):
                answer = house.knock(knock, who)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_administrators_neither_decide_nor_sign(house: House, subtests: pytest.Subtests) -> None:
    signing = [knock for knock in house.closed if str(knock) in RADIOLOGISTS]
    assert {str(knock) for knock in signing} == RADIOLOGISTS
    for knock in signing:
        with subtests.test(str(knock)):
            answer = house.knock(knock, "administrator")
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), answer.text


def test_what_belongs_to_others_does_not_exist(house: House, subtests: pytest.Subtests) -> None:
    for knock in (knock for knock in house.closed if any(name in knock.path for name in OWNED)):
        who = "other researcher" if Role.RESEARCHER in knock.roles else "stranger"
        with subtests.test(f"{knock} as {who}"):
            answer = house.knock(knock, who)
            assert answer.status_code == 404, answer.text
            assert "not yours" in answer.text, "the refusal must come from the check of who may see it"


def test_the_lists_name_routes_that_exist(house: House) -> None:
    names = {str(knock) for knock in house.knocks}
    assert len(house.knocks) == len(names)
    assert names >= OPEN | RADIOLOGISTS
    assert not any(knock.path.startswith(("/docs", "/redoc")) for knock in house.knocks)
