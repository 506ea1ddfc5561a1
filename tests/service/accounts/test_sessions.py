"""Sign-ins: the cookie, the table, the ends, the exchange of tokens."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from service.accounts.sessions import (
    cookie_header,
    cookie_name,
    find_session,
    hash_token,
    open_session,
    purge_sessions,
)
from service.services import Services
from service.store.tables import AuditEntry, LoginSession, User
from tests.service.accounts.conftest import Clock, log_in

COOKIE = "spinescribe"


def begin(services: Services, user: User) -> str:
    with services.database.begin() as session:
        return open_session(session, services.config, session.get_one(User, user.id))[1]


def look(services: Services, token: str):  # type: ignore[no-untyped-def]
    return find_session(services.database, services.config, token)


class TestCookie:
    def test_plain_http_on_this_machine(self, services: Services) -> None:
        assert cookie_header(services.config, "t") == "spinescribe=t; Path=/; HttpOnly; SameSite=Lax"

    def test_https_binds_it_to_the_host(self, services: Services) -> None:
        config = replace(services.config, has_secure_cookies=True)
        assert cookie_name(config) == "__Host-spinescribe"
        assert cookie_header(config, "t") == "__Host-spinescribe=t; Path=/; HttpOnly; SameSite=Lax; Secure"

    def test_deleting(self, services: Services) -> None:
        assert "Max-Age=0" in cookie_header(services.config, None)


class TestLife:
    def test_the_database_holds_no_token(self, services: Services, person: Callable[..., User]) -> None:
        token = begin(services, person("jo"))
        rows = sqlite3.connect(services.config.home / "spinescribe.sqlite").iterdump()
        dump = "\n".join(rows)
        assert token not in dump
        assert hash_token(token) in dump

    def test_a_wrong_token_is_nobody(self, services: Services, person: Callable[..., User]) -> None:
        begin(services, person("jo"))
        assert look(services, "guess") is None
        assert look(services, "\udcff") is None

    def test_idle_sessions_end(self, services: Services, person: Callable[..., User], clock: Clock) -> None:
        token = begin(services, person("jo"))
        clock.turn(seconds=services.config.session_idle_s + 1)
        assert look(services, token) is None

    def test_use_keeps_a_session_alive_until_the_end_of_the_day(
        self, services: Services, person: Callable[..., User], clock: Clock
    ) -> None:
        token = begin(services, person("jo"))
        for _ in range(12):
            clock.turn(hours=1)
            found = look(services, token)
            if found is None:
                break
            token = found.new_token or token
        else:
            pytest.fail("the session outlived its longest time")
        assert clock.offset.total_seconds() >= services.config.session_max_s

    def test_a_deactivated_user_is_out_at_once(self, services: Services, person: Callable[..., User]) -> None:
        user = person("jo")
        token = begin(services, user)
        with services.database.begin() as session:
            session.get_one(User, user.id).is_active = False
        assert look(services, token) is None

    def test_what_has_ended_for_good_is_deleted(
        self, services: Services, person: Callable[..., User], clock: Clock
    ) -> None:
        user = person("jo")
        begin(services, user)
        clock.turn(seconds=services.config.session_max_s + 1)
        begin(services, user)
        with services.database.begin() as session:
            purge_sessions(session, services.config)
            assert session.query(LoginSession).count() == 1


class TestExchange:
    @pytest.fixture
    def token(self, services: Services, person: Callable[..., User]) -> str:
        return begin(services, person("jo"))

    @pytest.fixture
    def due(self, services: Services, token: str, clock: Clock) -> str:
        """Return a token that is due to be exchanged."""
        assert look(services, token).new_token is None
        clock.turn(seconds=services.config.session_rotate_s + 1)
        return token

    def test_a_token_is_exchanged_when_due_and_once(self, services: Services, due: str) -> None:
        first, second = look(services, due), look(services, due)
        assert first.new_token not in (None, due)
        assert second.new_token is None
        assert first.actor.csrf_token == second.actor.csrf_token

    def test_requests_in_flight_are_served_for_a_moment(self, services: Services, due: str, clock: Clock) -> None:
        fresh = look(services, due).new_token
        assert look(services, fresh) is not None
        clock.turn(seconds=30)
        assert look(services, due) is not None

    def test_an_answer_that_was_lost_ends_nothing(self, services: Services, due: str, clock: Clock) -> None:
        lost = look(services, due).new_token
        clock.turn(minutes=5)
        again = look(services, due)
        assert again.new_token not in (None, lost)
        assert look(services, again.new_token) is not None

    def test_a_copied_token_ends_the_sign_in_of_both(self, services: Services, due: str, clock: Clock) -> None:
        fresh = look(services, due).new_token
        assert look(services, fresh) is not None
        clock.turn(minutes=2)
        assert look(services, due) is None
        assert look(services, fresh) is None
        with services.database.read() as session:
            assert session.query(AuditEntry).filter_by(action="session.reuse").count() == 1

    def test_the_successor_inherits_the_end(self, services: Services, due: str, clock: Clock) -> None:
        fresh = look(services, due).new_token
        look(services, fresh)
        with services.database.read() as session:
            ends = {row.id: row for row in session.query(LoginSession)}
        assert ends[hash_token(fresh)].created_at == ends[hash_token(due)].created_at
        clock.turn(seconds=services.config.session_max_s)
        assert look(services, fresh) is None

    def test_the_browser_gets_the_new_token(
        self, services: Services, person: Callable[..., User], browser: Callable[[], TestClient], clock: Clock
    ) -> None:
        person("al")
        client = log_in(browser(), "al")
        before = client.cookies[COOKIE]
        clock.turn(seconds=services.config.session_rotate_s + 1)
        answer = client.get("/api/v1/session")
        assert answer.status_code == 200
        assert client.cookies[COOKIE] != before
        assert answer.headers["cache-control"] == "no-store"
        assert client.get("/api/v1/session").status_code == 200
        # The page that was loaded before goes on working.
        assert client.patch("/api/v1/session/preferences", json={"theme": "dark"}).status_code == 200

    def test_signing_out_just_when_the_token_is_due_leaves_nothing(
        self, services: Services, person: Callable[..., User], browser: Callable[[], TestClient], clock: Clock
    ) -> None:
        user = person("al")
        client = log_in(browser(), "al")
        clock.turn(seconds=services.config.session_rotate_s + 1)
        answer = client.delete("/api/v1/session")
        assert answer.status_code == 204
        assert [value.partition(";")[0] for value in answer.headers.get_list("set-cookie")] == ["spinescribe="]
        with services.database.read() as session:
            assert session.query(LoginSession).filter_by(user_id=user.id).count() == 0
