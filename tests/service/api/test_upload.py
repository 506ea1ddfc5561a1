"""Uploads: what is taken, what is refused and in which words, and that nothing of a file's name is kept."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.requests import Request

from service.accounts.actor import Actor
from service.api.schemas.studies import offered_writers
from service.api.studies import router
from service.config import ServiceConfig
from service.errors import InvalidError
from service.services import Services
from service.store.base import Base
from service.studies import samples, upload
from tests.service.conftest import add_user
from tests.service.jobs.fakes import PNG, picture
from tests.service.jobs.steps import jobs_of, study_of

STUDIES = "/api/v1/studies"
DICOM = b"\0" * 128 + b"DICM" + b"\0" * 900


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Return a service that takes files of up to 2 MB and lets 20 wait."""
    opened = Services.open(ServiceConfig(home=tmp_path / "home", max_upload_bytes=2 * 2**20, max_queued=20))
    yield opened
    opened.close()


@pytest.fixture
def client(client_of: Callable[..., TestClient], radiologist: Actor) -> TestClient:
    return client_of([router], radiologist)


def _post(client: TestClient, content: bytes = PNG, name: str = "scan.png", **fields: str) -> Any:
    return client.post(STUDIES, files={"file": (name, content)}, data=fields)


def test_an_upload_waits_in_the_queue(client: TestClient, services: Services) -> None:
    answer = _post(client, picture(), protocol="lumbar", spacing="0.5", label=" Bed  4 ", writer="composer")
    assert answer.status_code == 202
    study = answer.json()
    assert (study["status"], study["label"], study["error"]) == ("queued", "Bed 4", None)
    assert study["job"] | {"message": ""} == {
        "state": "queued", "stage": "queue", "fraction": 0.0, "message": "", "queue_position": 1, "attempt": 0,
    }  # fmt: skip
    row = study_of(services, study["id"])
    assert services.blobs.read(row.upload_sha256) == picture()
    (job,) = jobs_of(services, study["id"])
    assert job.options == {"protocol": "lumbar", "spacing": "0.5", "writer": "composer"}
    assert services.queue.ids() == {job.id}


def test_nothing_of_the_file_name_is_kept(
    client: TestClient, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    name = "<script>alert(1)</script>/../DOE^JANE 1970.nii.gz"
    assert _post(client, b"\x1f\x8b" + b"\0" * 600, name).status_code == 202
    with services.database.read() as session:
        rows = [str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    kept = " ".join(rows) + caplog.text + " ".join(str(path) for path in services.config.home.rglob("*"))
    assert "DOE" not in kept
    assert "script" not in kept
    assert ".nii.gz" in kept


@pytest.mark.parametrize(
    ("content", "name", "status", "words"),
    [
        (PNG, "scan.exe", 415, "got a file ending in .exe"),
        (b"%PDF-1.7 " * 100, "scan.png", 415, "found a PDF document"),
        (b"GIF89a", "scan.png", 415, "found a GIF picture"),
        (b"hello " * 200, "scan.zip", 415, "found text"),
        (b"", "scan.png", 422, "got an empty one"),
        (PNG + b"x" * 2 * 2**20, "scan.png", 413, "larger than the 2 MB"),
    ],
)
def test_files_that_are_not_taken(
    client: TestClient, services: Services, content: bytes, name: str, status: int, words: str
) -> None:
    answer = _post(client, content, name)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]
    assert not [file for file in services.config.blob_dir.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("content", "name"),
    [(DICOM, "IM0001"), (DICOM, "1.2.840.1"), (b"PK\x03\x04", "a.ZIP"), (b"\x08\0\x05\0" * 200, "old.dcm")],
)
def test_dicom_may_have_any_name(client: TestClient, content: bytes, name: str) -> None:
    assert _post(client, content, name).status_code == 202


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"spacing": "wide"}, "spacing: "),
        ({"protocol": "knee"}, "expected one of auto, "),
        ({"writer": "/etc/passwd"}, "writer: "),
        ({"writer": "remote"}, "writer: "),
        ({"label": "a\u202eb"}, "expected words on one line"),
        ({"label": "a" * 300}, "label: "),
        ({"label": "a" * 3000}, "up to 2000 bytes"),
        ({"group_id": "../x"}, "group_id: "),
        ({"prior_study_id": "1"}, "prior_study_id: "),
        ({"surprise": "1"}, "surprise: "),
    ],
)
def test_fields_that_are_wrong(client: TestClient, fields: dict[str, str], words: str) -> None:
    answer = _post(client, **fields)
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]


def test_bodies_that_are_no_form_with_one_file(client: TestClient) -> None:
    def told(**request: Any) -> str:
        answer = client.post(STUDIES, **request)
        assert answer.status_code == 422
        return str(answer.json()["error"]["message"])

    form = {"content-type": "multipart/form-data; boundary=b"}
    assert told(json={}).startswith("expected a multipart form")
    assert told(content=b"", headers={"content-type": "multipart/form-data"}).startswith("expected a multipart")
    assert told(content=b"nonsense", headers=form) == "expected a multipart form"
    assert told(content=b"--b\r\n", headers=form).startswith("the upload was broken off")
    assert told(files={"other": ("a.png", PNG)}).startswith("expected one file, in the field 'file'")
    assert told(files=[("file", ("a.png", PNG)), ("file", ("b.png", PNG))]).startswith("expected one file")
    label = b'--b\r\nContent-Disposition: form-data; name="label"\r\n\r\nx\r\n'
    assert told(content=label + b"--b--\r\n", headers=form).startswith("expected a file in the field")
    assert told(content=2 * label + b"--b--\r\n", headers=form) == "expected each field once, got more"


def test_who_is_not_signed_in_is_not_listened_to(client_of: Callable[..., TestClient]) -> None:
    assert _post(client_of([router], None)).status_code == 401


def test_a_client_that_goes_leaves_nothing(services: Services) -> None:
    async def leave() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "http.request", "body": b"--b\r\n", "more_body": True}
        yield {"type": "http.disconnect"}

    with pytest.raises(InvalidError, match="broken off"):
        anyio.run(_receive, services, leave())
    assert not list(services.config.blob_dir.iterdir())


async def _receive(services: Services, messages: AsyncIterator[dict[str, Any]]) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"multipart/form-data; boundary=b")],
    }
    await upload.receive_upload(services, Request(scope, messages.__anext__))  # type: ignore[arg-type]


def test_a_hundred_uploads_at_once_never_pass_the_bound(client: TestClient, services: Services) -> None:
    def post(number: int) -> Any:
        return _post(client, picture(number=number))

    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(post, range(100)))
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(accepted), len(refused)) == (20, 80)
    assert len(services.queue.ids()) == 20
    assert all(services.blobs.check(study_of(services, study_id).upload_sha256) for study_id in accepted)
    assert {answer.headers["Retry-After"] for answer in refused} == {"120"}
    assert refused[0].json()["error"] == {
        "code": "queue_full", "message": "20 studies wait already; try again later",
    }  # fmt: skip


def test_a_sample_study_is_made_once(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def build(protocol: str, folder: Path) -> Path:
        made.append(protocol)
        (folder / "study.zip").write_bytes(b"PK\x03\x04" + protocol.encode())
        return folder / "study.zip"

    monkeypatch.setattr(samples, "build_sample", build)
    for protocol in ("lumbar", "lumbar", "cervical"):
        answer = client.post(f"{STUDIES}/sample", json={"protocol": protocol})
        assert answer.status_code == 202
        assert (answer.json()["is_sample"], answer.json()["label"]) == (True, f"Sample, {protocol}")
    assert made == ["lumbar", "cervical"]
    assert client.post(f"{STUDIES}/sample", json={"protocol": "auto"}).status_code == 422
    assert client.post(f"{STUDIES}/sample", json={"protocol": "lumbar", "x": 1}).status_code == 422
    assert sorted(path.name for path in (services.config.home / "samples").iterdir()) == [
        "cervical.zip", "lumbar.zip",
    ]  # fmt: skip


def test_writers_that_leave_the_machine_are_not_offered() -> None:
    assert {"composer", "spine-tiny"} <= set(offered_writers())
    assert "remote" not in offered_writers()


def test_the_group_of_an_upload_is_one_of_ones_own(
    client_of: Callable[..., TestClient], services: Services
) -> None:
    member = add_user(services, "member", group="ward")
    client = client_of([router], member)
    (group,) = member.group_ids
    assert _post(client, group_id=group).json()["group"] == {"id": group, "name": "ward"}
    other = replace(member, group_ids=frozenset())
    assert _post(client_of([router], other), group_id=group).status_code == 403


def test_the_upload_form_is_in_the_openapi_document(client: TestClient) -> None:
    document = json.loads(client.get("/api/v1/openapi.json").text)
    body = document["paths"]["/api/v1/studies"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert set(body["schema"]["properties"]) == {
        "file", "protocol", "spacing", "label", "group_id", "prior_study_id", "writer",
    }  # fmt: skip
