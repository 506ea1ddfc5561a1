"""Secrets never reach a log line, whatever its level, nor the audit log."""

import logging
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from service.accounts import sessions
from service.config import load_secret_key
from service.services import Services
from service.store import Database
from service.store.tables import AuditEntry, User
from tests.service.accounts.conftest import PASSWORD, Clock, log_in

WRONG = "a wrong password of mine"
NEW = "a brand new passphrase"


@pytest.fixture
def loud(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return everything that anyone logs."""
    caplog.set_level(logging.DEBUG)
    return caplog


def test_a_day_of_sign_ins_leaves_no_secret_in_the_logs(
    loud: pytest.LogCaptureFixture,
    services: Services,
    person: Callable[..., User],
    browser: Callable[[], TestClient],
    clock: Clock,
) -> None:
    services.database.engine.echo = True  # the statements as well
    person("jo")
    client = browser()
    client.post("/api/v1/session", json={"name": "jo", "password": WRONG})
    client.post("/api/v1/session", json={"name": WRONG, "password": WRONG, "more": WRONG})
    log_in(client, "jo")
    secrets = [PASSWORD, WRONG, NEW, client.headers["X-CSRF-Token"], client.cookies["spinescribe"]]
    clock.turn(seconds=services.config.session_rotate_s + 1)
    client.get("/api/v1/session")
    secrets.append(client.cookies["spinescribe"])
    client.get("/api/v1/session")
    client.post("/api/v1/session/password", json={"current": PASSWORD, "new": NEW})
    client.delete("/api/v1/session")
    with services.database.read() as session:
        secrets += [str(user.password_hash) for user in session.query(User)]
        audit = repr([(row.actor, row.subject, row.details) for row in session.query(AuditEntry)])
    secrets.append(load_secret_key(services.config).decode())
    logged = "\n".join(f"{record.getMessage()} {record.args!r}" for record in loud.records)
    assert "INSERT INTO sessions" in logged, "the statements were logged, only their values were not"
    assert len(set(secrets)) == len(secrets)
    for secret in secrets:
        assert secret not in logged
        assert sessions.hash_token(secret) not in logged
        assert secret not in audit
    assert not re.search(r"\$argon2id\$", logged + audit)


def test_an_error_of_the_database_quotes_no_values(services: Services) -> None:
    def insert() -> None:
        with services.database.begin() as session:
            session.add_all([User(name="jo", password_hash="hash-one"), User(name="jo", password_hash="hash-two")])

    with pytest.raises(Exception, match="UNIQUE") as caught:
        insert()
    assert "hash-" not in str(caught.value)


def test_postgresql_engines_hide_values_too() -> None:
    database = Database("postgresql+psycopg://user:word@127.0.0.1:1/none")
    assert database.engine.hide_parameters
    assert "word" not in repr(database.engine.url)
