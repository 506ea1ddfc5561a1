"""A service with a finished study whose files are kept, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import audit
from service.config import ServiceConfig
from service.services import Services
from service.store.base import now
from service.store.tables import Evaluation, LoginSession, ReadingFile
from tests.service import postgres
from tests.service.conftest import add_study, add_user

sqlite_first = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
"""For tests where the kind of database matters little: PostgreSQL in the slow suite alone."""


def add_kept_study(services: Services, document: dict[str, Any], name: str) -> list[str]:
    """Add a user, a study with an upload and a file, an evaluation; return the names of the kept files."""
    actor = add_user(services, name)
    upload, report = services.blobs.put(f"upload of {name}".encode()), services.blobs.put(f"# {name}".encode())
    figure = services.blobs.put(f"figure of {name}".encode())
    with services.database.begin() as session:
        study, reading = add_study(session, actor, document)
        study.upload_sha256 = upload.sha256
        session.add(ReadingFile(reading_id=reading.id, name="report.md", sha256=report.sha256, bytes=report.bytes))
        files = {"figure.png": {"sha256": figure.sha256, "bytes": figure.bytes}}
        session.add(Evaluation(user_id=actor.user_id, task="grading", files=files))
        session.add(LoginSession(id=actor.session_id, user_id=actor.user_id, csrf_token="t", expires_at=now()))
        audit.append(session, name, "study.add", subject=f"study:{study.id}")
    return [upload.sha256, report.sha256, figure.sha256]


@pytest.fixture
def filled(both_services: Services, document: dict[str, Any]) -> Services:
    add_kept_study(both_services, document, "rad")
    return both_services


@pytest.fixture
def second(filled: Services, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceConfig]:
    """Return the configuration of another, empty service on the same kind of database."""
    if filled.config.is_sqlite:
        yield ServiceConfig(home=tmp_path / "second")
        return
    server: postgres.PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield ServiceConfig(home=tmp_path / "second", database_url=url)
