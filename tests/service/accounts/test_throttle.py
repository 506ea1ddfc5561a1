"""The rate limit of sign-in."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from service.accounts.login import confirm_password, sign_in
from service.accounts.throttle import Attempt, blame, network_of
from service.config import load_secret_key
from service.errors import BusyError, ForbiddenError, UnauthenticatedError
from service.services import Services
from service.store.tables import AuditEntry, LoginFailure, User
from tests.service.accounts.conftest import PASSWORD, Clock, log_in


def fail(services: Services, name: str = "jo", address: str = "10.0.0.1", times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(UnauthenticatedError):
            sign_in(services, name, "a wrong password", address=address)


def wait_of(services: Services, name: str = "jo", address: str = "10.0.0.1") -> int:
    """Return how long an attempt would have to wait, in seconds; the attempt itself is a wrong one."""
    try:
        sign_in(services, name, "a wrong password", address=address)
    except BusyError as error:
        return error.retry_after_s
    except UnauthenticatedError:
        return 0
    raise AssertionError("a wrong password was accepted")


def attempt_of(services: Services, name: str, address: str) -> Attempt:
    return Attempt.of(load_secret_key(services.config), name, address)


def blame_address(services: Services, times: int = 30) -> None:
    """Let an address have tried many names."""
    with services.database.begin() as session:
        for index in range(times):
            blame(session, attempt_of(services, f"name{index}", "10.0.0.1"))


def test_five_mistakes_are_free_then_waits_grow(
    services: Services, person: Callable[..., User], clock: Clock
) -> None:
    clock.stop()
    person("jo")
    fail(services, times=5)
    waits = []
    for _ in range(5):
        waits.append(wait_of(services))
        clock.turn(seconds=waits[-1])
        fail(services)
    assert waits == [1, 2, 4, 8, 16]


def test_the_right_password_waits_too_and_then_clears_the_counter(
    services: Services, person: Callable[..., User], clock: Clock
) -> None:
    clock.stop()
    person("jo")
    fail(services, times=5)
    with pytest.raises(BusyError, match="too many"):
        sign_in(services, "jo", PASSWORD, address="10.0.0.1")
    clock.turn(seconds=1)
    sign_in(services, "jo", PASSWORD, address="10.0.0.1")
    fail(services, times=5)


def test_another_address_is_not_held_up_by_a_guesser(
    services: Services, person: Callable[..., User], clock: Clock
) -> None:
    person("jo")
    wait = 0
    while wait <= 30:
        clock.turn(seconds=wait)
        fail(services)
        wait = wait_of(services)
    sign_in(services, "jo", PASSWORD, address="10.0.0.2")


def test_a_name_guessed_from_everywhere_is_never_locked_for_long(
    services: Services, person: Callable[..., User], clock: Clock
) -> None:
    person("jo")
    with services.database.begin() as session:
        for index in range(200):
            attempt = attempt_of(services, "jo", f"10.1.{index}.1")
            session.add_all([LoginFailure(key=attempt.pair), LoginFailure(key=attempt.name)])
    wait = wait_of(services, address="10.2.0.1")
    assert 0 < wait <= 30
    clock.turn(seconds=wait)
    sign_in(services, "jo", PASSWORD, address="10.2.0.1")


def test_an_address_that_tries_many_names_is_slowed(services: Services, clock: Clock) -> None:
    blame_address(services)
    assert wait_of(services, name="yet-another") > 0
    assert wait_of(services, name="yet-another", address="10.0.0.2") == 0


def test_success_does_not_clear_the_counter_of_the_address(
    services: Services, person: Callable[..., User], clock: Clock
) -> None:
    person("mallory")
    blame_address(services)
    with pytest.raises(BusyError):
        sign_in(services, "mallory", PASSWORD, address="10.0.0.1")
    clock.turn(seconds=1)
    sign_in(services, "mallory", PASSWORD, address="10.0.0.1")
    fail(services, name="next")
    assert wait_of(services, name="after-next") > 0


def test_failures_are_forgotten_after_a_quarter_of_an_hour(services: Services, clock: Clock) -> None:
    fail(services, times=5)
    clock.turn(minutes=16)
    fail(services, times=5)
    with services.database.read() as session:
        assert session.query(LoginFailure).count() == 15


def test_the_table_holds_neither_names_nor_addresses(services: Services) -> None:
    fail(services, name="jo", address="10.0.0.1")
    with services.database.read() as session:
        keys = {row.key for row in session.query(LoginFailure)}
    assert len(keys) == 3
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_counted_by_subscriber(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_the_route_answers_429_with_retry_after(
    person: Callable[..., User], browser: Callable[[], TestClient], clock: Clock
) -> None:
    clock.stop()
    person("jo")
    client = browser()
    for _ in range(5):
        assert client.post("/api/v1/session", json={"name": "jo", "password": "x"}).status_code == 401
    answer = client.post("/api/v1/session", json={"name": "jo", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "slow_down"


def test_unknown_deactivated_and_wrong_are_told_alike(
    services: Services, person: Callable[..., User], browser: Callable[[], TestClient]
) -> None:
    person("jo")
    gone, passwordless = person("gone"), person("sso", password=None)
    with services.database.begin() as session:
        session.get_one(User, gone.id).is_active = False
    answers = [
        browser().post("/api/v1/session", json={"name": name, "password": password})
        for name, password in [
            ("jo", "wrong"),
            ("nobody", PASSWORD),
            ("gone", PASSWORD),
            (passwordless.name, ""),
        ]
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


def test_refusals_are_written_down_and_unknown_names_are_not(
    services: Services, person: Callable[..., User]
) -> None:
    person("jo")
    fail(services, name="jo")
    fail(services, name="my-secret-password-typed-into-the-name")
    with services.database.read() as session:
        lines = [row for row in session.query(AuditEntry) if row.action == "session.refuse"]
    assert [line.actor for line in lines] == ["jo", "unknown"]
    assert "secret" not in repr([(line.actor, line.subject, line.details) for line in lines])


def test_showing_the_password_again_is_limited_as_well(
    services: Services, person: Callable[..., User], browser: Callable[[], TestClient]
) -> None:
    person("jo")
    actor = sign_in(services, "jo", PASSWORD, address="10.0.0.1").actor
    confirm_password(services, actor, PASSWORD, address="10.0.0.1")
    for _ in range(5):
        with pytest.raises(ForbiddenError, match="password is wrong"):
            confirm_password(services, actor, "wrong", address="10.0.0.1")
    with pytest.raises(BusyError):
        confirm_password(services, actor, PASSWORD, address="10.0.0.1")
    assert log_in(browser(), "jo").get("/api/v1/session").status_code == 200
