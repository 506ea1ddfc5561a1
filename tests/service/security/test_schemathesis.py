"""The whole API under generated requests, signed in as a radiologist: never a 5xx, and every answer as documented.

Each request is sent as generated, which mostly names nothing that exists, and once more with the ids of a real
study, reading, finding and file.
"""

import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.accounts.actor import Actor
from service.accounts.passwords import hash_password
from service.config import ServiceConfig
from service.services import Services
from service.store.base import now
from service.store.tables import ReadingFile, User, WorkerBeat
from service.store.words import Role
from service.web import create_app
from tests.service import postgres
from tests.service.conftest import add_study

PASSWORD = "generated lumbar words"
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance, content_type_conformance]
WARNINGS = ["ignore:Setting per-request cookies"]  # generated ones, which are meant
SIGN_IN = "/api/v1/session"
LEFT_OUT = {f"DELETE {SIGN_IN}", f"POST {SIGN_IN}", "POST /api/v1/studies/sample"}
"""Ends the sign-in; replaces it; makes a phantom, which takes seconds. All are tested elsewhere."""

few = settings(
    max_examples=3,
    database=None,
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


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceConfig]:
    home = tmp_path_factory.mktemp("generated") / "home"
    if request.param == "sqlite":
        yield ServiceConfig(home=home)
        return
    server: postgres.PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield ServiceConfig(home=home, database_url=url)


@pytest.fixture(scope="module")
def signed_in(config: ServiceConfig, document: dict[str, Any]) -> Iterator[SignedIn]:
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


AWKWARD = {
    "NUL": "a\\u0000b",
    "half a surrogate pair": "a\\ud800b",
    "right to left": "\\u202eb",
    "long": "x" * 100_000,
}
"""As they stand in a JSON text: what a database's text cannot hold, or its column cannot."""


@pytest.mark.parametrize("words", AWKWARD.values(), ids=AWKWARD)
def test_no_text_breaks_the_service(signed_in: SignedIn, words: str) -> None:
    """Put awkward words into every text of every request that has one, the rest as the service gave it."""
    study = f"/api/v1/studies/{signed_in.real['study_id']}"
    report = signed_in.client.get(f"{study}/report").json()
    finding, version = report["findings"][0], report["version"]
    sections = [{"name": "Impression", "sentences": [{"id": None, "text": "?"}]}]
    requests = [
        ("POST", SIGN_IN, {"name": "?", "password": "?"}),
        ("POST", f"{SIGN_IN}/password", {"current": "?", "new": "?"}),
        ("PATCH", f"{SIGN_IN}/preferences", {"theme": "?"}),
        ("PATCH", f"{SIGN_IN}/preferences", {"?": "dark"}),
        ("PATCH", study, {"label": "?"}),
        ("PATCH", study, {"group_id": "?"}),
        ("POST", f"{study}/readings", {"writer": "?", "protocol": "?", "anchor": "?"}),
        ("PUT", f"{study}/report", {"version": version, "sections": sections}),
        (
            "POST",
            f"{study}/decisions",
            {"version": version, "finding_id": finding["id"], "verdict": "reject", "note": "?"},
        ),
        ("POST", f"{study}/decisions", {"version": version, "finding_id": "?", "verdict": "accept"}),
        ("POST", f"{study}/acknowledgements", {"version": version, "finding_id": "?"}),
        ("POST", f"{study}/sign", {"version": version, "password": "?"}),
        ("POST", f"{study}/amend", {"version": version, "reason": "?"}),
        ("POST", f"{study}/chat", {"question": "?"}),
    ]
    statuses = {}
    for method, path, body in requests:
        content = json.dumps(body).replace("?", words)
        headers = {**signed_in.headers, "Content-Type": "application/json"}
        if path == SIGN_IN:
            headers["Cookie"] = ""
        answer = signed_in.client.request(method, path, content=content, headers=headers)
        statuses[f"{method} {path} {content[:60]}"] = answer.status_code
    for path in (
        "/api/v1/studies?search=",
        "/api/v1/history?search=",
        "/api/v1/studies/",
        "/api/v1/readings/",
        "/read/",
    ):
        whole = path + quote(json.loads(f'"{words[:2000]}"').encode("utf-8", "surrogatepass"))
        statuses[whole[:60]] = signed_in.client.get(whole).status_code
    assert {name: status for name, status in statuses.items() if status >= 500} == {}


@pytest.mark.filterwarnings(*WARNINGS)
def test_no_request_breaks_the_service(signed_in: SignedIn) -> None:
    assert faults_of(signed_in, few) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(*WARNINGS)
def test_none_of_many_requests_breaks_the_service(signed_in: SignedIn) -> None:
    assert faults_of(signed_in, many) == {}
