"""The whole API under generated requests, signed in as a radiologist: never a 5xx, and every answer as documented.

Each request is sent as generated, which mostly names nothing that exists, and once more with the ids of a real
study, reading, finding and file.
"""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from service.accounts.actor import Actor
from service.accounts.passwords import hash_password
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import ReadingFile, Role, User, WorkerBeat, now
from service.web import create_app
from tests.service.conftest import add_study

PASSWORD = "generated lumbar words"
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
SIGN_IN = "/api/v1/session"
LEFT_OUT = {f"DELETE {SIGN_IN}", f"POST {SIGN_IN}", "POST /api/v1/studies/sample"}
"""Ends the sign-in; replaces it; makes a phantom, which takes seconds. All are tested elsewhere."""

few = settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
many = settings(few, max_examples=60, derandomize=False)


@dataclass(frozen=True)
class SignedIn:
    """A client with a sign-in, and what really exists: name of a path parameter -> id."""

    client: TestClient
    headers: dict[str, str]
    real: dict[str, str]


def add_what_exists(services: Services, document: dict[str, Any]) -> dict[str, str]:
    """Add a radiologist with a finished study; return its ids."""
    with services.database.begin() as session:
        user = User(name="rad", role=Role.RADIOLOGIST.value, password_hash=hash_password(PASSWORD))
        session.add(user)
        session.flush()
        study, reading = add_study(session, Actor.of(user), document)
        study.upload_sha256 = services.blobs.put(b"upload").sha256
        blob = services.blobs.put(b"# Report")
        session.add(
            ReadingFile(
                reading_id=reading.id,
                name="report.md",
                sha256=blob.sha256,
                bytes=blob.bytes,
                media_type="text/markdown",
            )
        )
        session.add(WorkerBeat(id="worker", heard_at=now() + timedelta(days=1)))
        finding = document["grades"][0]["id"]
        return {"study_id": study.id, "reading_id": reading.id, "finding_id": finding, "name": "report.md"}


@pytest.fixture(scope="module")
def signed_in(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    config = ServiceConfig(home=tmp_path_factory.mktemp("generated") / "home")
    services = Services.open(config)
    real = add_what_exists(services, document)
    services.close()
    with TestClient(create_app(config), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        token = client.post(SIGN_IN, json={"name": "rad", "password": PASSWORD}).json()["csrf_token"]
        yield SignedIn(client, {"X-CSRF-Token": token}, real)


def send(signed_in: SignedIn, case: schemathesis.Case) -> None:
    """Send a request as generated, then with real ids, and check the answers."""
    generated = dict(case.path_parameters or {})
    real = {name: signed_in.real.get(name, value) for name, value in generated.items()}
    for parameters in (generated, real):
        case.path_parameters = parameters
        request = case.as_transport_kwargs(base_url="http://127.0.0.1", headers=signed_in.headers)
        answer = signed_in.client.request(**request)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code != 401, "the sign-in was lost"


def faults_of(signed_in: SignedIn, chosen: settings) -> dict[str, str]:
    """Send generated requests to every operation; return operation -> what was wrong first."""
    document = signed_in.client.get("/api/v1/openapi.json").json()
    faults = {}
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.label in LEFT_OUT:
            continue

        @given(case=operation.as_strategy())
        @chosen
        def knock(case: schemathesis.Case) -> None:
            send(signed_in, case)

        try:
            knock()
        except BaseException as error:
            faults[operation.label] = "".join(traceback.format_exception_only(error))
    return faults


def test_no_request_breaks_the_service(signed_in: SignedIn) -> None:
    assert faults_of(signed_in, few) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_none_of_many_requests_breaks_the_service(signed_in: SignedIn) -> None:
    assert faults_of(signed_in, many) == {}
