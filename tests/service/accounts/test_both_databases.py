"""Sign-ins, the exchange of tokens, the rate limit and the last administrator in races, on both databases."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from service.accounts import login
from service.accounts.login import sign_in
from service.accounts.sessions import find_session
from service.accounts.users import UserChange, add_user, change_user, count_administrators
from service.errors import BusyError, ConflictError, ServiceError, UnauthenticatedError
from service.services import Services
from service.store.tables import LoginSession, User
from service.store.words import Role
from tests.service.accounts.conftest import PASSWORD, Clock


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Run something in many threads at once; return what came of each, errors of the service included."""
    outcomes: list[object] = [None] * count
    gate = threading.Barrier(count)

    def run(index: int) -> None:
        gate.wait()
        try:
            outcomes[index] = act(index)
        except ServiceError as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def add(services: Services, name: str, role: Role = Role.RADIOLOGIST) -> User:
    with services.database.begin() as session:
        return add_user(session, "system", name, role=role, password=PASSWORD)


def check_a_sign_in(services: Services, clock: Clock) -> None:
    """Sign in, exchange the token once though many ask at once, and end it by a copied token."""
    add(services, "jo")
    token = sign_in(services, "jo", PASSWORD, address="10.0.0.1").token
    clock.turn(seconds=services.config.session_rotate_s + 1)
    found = at_once(8, lambda _: find_session(services.database, services.config, token))
    fresh = [one.new_token for one in found if one is not None and one.new_token is not None]  # type: ignore[attr-defined]
    assert None not in found
    assert len(fresh) == 1
    assert find_session(services.database, services.config, fresh[0]) is not None
    clock.offset += timedelta(minutes=2)
    assert find_session(services.database, services.config, token) is None
    with services.database.read() as session:
        assert session.query(LoginSession).count() == 0


def check_many_guesses(services: Services) -> None:
    """Let many guesses come at once: only the free ones are checked."""

    def guess(index: int) -> object:
        return sign_in(services, "jo", f"guess {index}", address="10.0.0.9")

    outcomes = at_once(20, guess)
    assert sum(isinstance(outcome, UnauthenticatedError) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, BusyError) for outcome in outcomes) == 15


def check_two_administrators(services: Services) -> None:
    """Let two administrators deactivate each other at once: one stays."""
    users = [add(services, f"admin{index}", Role.ADMINISTRATOR) for index in range(2)]

    def deactivate(index: int) -> object:
        with services.database.begin() as session:
            return change_user(session, "test", users[index].id, UserChange(is_active=False))

    outcomes = at_once(2, deactivate)
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 1
    with services.database.read() as session:
        assert count_administrators(session) == 1


def test_races(both_services: Services, clock: Clock) -> None:
    check_a_sign_in(both_services, clock)
    check_many_guesses(both_services)
    check_two_administrators(both_services)


def test_the_lock_is_not_held_while_hashing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    add(services, "jo")
    right = login.verify

    def verify_while_another_writes(stored: str | None, password: str) -> bool:
        with services.database.begin() as session:
            session.add(User(name="meanwhile"))
        return right(stored, password)

    monkeypatch.setattr(login, "verify", verify_while_another_writes)
    sign_in(services, "jo", PASSWORD, address="10.0.0.1")
