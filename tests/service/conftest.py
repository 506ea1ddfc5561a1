"""What tests of the service share: an open service in a folder of its own, users, a stored reading."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.api.application import build_api
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import Group, Job, StoredReading, Study, StudyReport, User
from service.store.words import JobState, Role, StudyStatus
from tests.service import postgres

READING = Path(__file__).parent / "data" / "lumbar_reading.json"


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """Return reading.json of a lumbar phantom, read with the shipped weights."""
    content: dict[str, Any] = json.loads(READING.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a service with tables and nothing in them: to be copied, which is quicker than made."""
    home = tmp_path_factory.mktemp("service") / "home"
    Services.open(ServiceConfig(home=home)).database.close()
    return home


@pytest.fixture
def services(tmp_path: Path, empty_home: Path) -> Iterator[Services]:
    """Return an open service on SQLite."""
    shutil.copytree(empty_home, tmp_path / "home")
    opened = Services.open(ServiceConfig(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """Return a real PostgreSQL; skips, saying so, where it is not installed."""
    if not postgres.is_installed():
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (Debian package postgresql)")
    with postgres.running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """Return the address of an empty PostgreSQL database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the address of an empty database, once of each kind (empty: SQLite in ``home``)."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def both_services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    """Return an open service, once on SQLite and once on PostgreSQL."""
    opened = Services.open(ServiceConfig(home=tmp_path / "home", database_url=database_url))
    yield opened
    opened.close()


def add_user(services: Services, name: str, role: Role = Role.RADIOLOGIST, group: str | None = None) -> Actor:
    """Add a user without a password and return the actor."""
    with services.database.begin() as session:
        user = User(name=name, display_name=f"Dr {name}", role=role.value)
        if group is not None:
            found = session.query(Group).filter_by(name=group).one_or_none()
            user.groups.append(found or Group(name=group))
        session.add(user)
        session.flush()
        return Actor.of(user, session_id=f"session-of-{name}", csrf_token="csrf")


@pytest.fixture
def radiologist(services: Services) -> Actor:
    return add_user(services, "rad")


@pytest.fixture
def stranger(services: Services) -> Actor:
    """Return a radiologist to whom no study belongs."""
    return add_user(services, "stranger")


@pytest.fixture
def administrator(services: Services) -> Actor:
    return add_user(services, "admin", Role.ADMINISTRATOR)


@pytest.fixture
def researcher(services: Services) -> Actor:
    return add_user(services, "research", Role.RESEARCHER)


def add_study(
    session: Session, owner: Actor, document: dict[str, Any], **fields: Any
) -> tuple[Study, StoredReading]:
    """Add a finished study with its reading and its draft report."""
    study = Study(
        owner_id=owner.user_id,
        label="phantom",
        status=StudyStatus.READY.value,
        upload_sha256="0" * 64,
        study_key=document["study"]["key"],
        protocol=document["study"]["protocol"],
        burden=document["burden"]["score"],
        **fields,
    )
    session.add(study)
    session.flush()
    job = Job(study_id=study.id, state=JobState.DONE.value)
    session.add(job)
    session.flush()
    reading = StoredReading(study_id=study.id, job_id=job.id, writer="spine-tiny", document=document)
    session.add(reading)
    session.flush()
    sections = document["report"]["sections"]
    session.add(StudyReport(study_id=study.id, reading_id=reading.id, proposed=sections, current=sections))
    session.flush()
    return study, reading


@pytest.fixture
def client_of(services: Services) -> Callable[..., TestClient]:
    """Return a function (routers, actor) -> client of those routers, with that actor signed in (None: nobody)."""

    def build(routers: Iterable[APIRouter], actor: Actor | None) -> TestClient:
        app: FastAPI = build_api(services, routers)

        @app.middleware("http")
        async def sign_in(request: Request, call_next: Any) -> Response:
            request.state.actor = actor
            response: Response = await call_next(request)
            return response

        return TestClient(app, raise_server_exceptions=False)

    return build
