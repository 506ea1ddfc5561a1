"""Routes of a reading: who may see it, what is answered, what is refused."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, select

from pipeline.types import Reading
from service.accounts.actor import Actor
from service.api.readings import router
from service.services import Services
from service.store.tables import AuditEntry
from service.viewing.saliency import SALIENCY, heat_png, saliency_file
from service.viewing.views import view_reading
from tests.service.conftest import add_study
from tests.service.viewing.bare_page import keep_reading
from tests.service.viewing.made import MIDDLE, made_reading

Client = Callable[..., TestClient]


@pytest.fixture(scope="module")
def reading() -> Reading:
    return made_reading()


@pytest.fixture
def stored(services: Services, radiologist: Actor, reading: Reading) -> str:
    """Return the id of the reading, kept with all its files."""
    heat = {"maps": {"g14": {"series": "S1", "slice": MIDDLE}}, "reasons": {"g2": "not computed: not positive"}}
    extra = {
        "report.md": b"# draft",
        saliency_file("g14"): heat_png(np.ones((240, 160), dtype=np.float32)),
        SALIENCY: json.dumps(heat).encode(),
    }
    return keep_reading(services, radiologist, reading, extra)


def paths(rid: str) -> list[str]:
    ends = (
        "",
        "/files",
        "/files/report.md",
        "/viewer",
        "/series/S1/slices/0",
        "/series/S1/labels/1",
        "/saliency/g14",
    )
    return [f"/api/v1/readings/{rid}{end}" for end in ends]


def audit(services: Services, action: str) -> list[AuditEntry]:
    with services.database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def test_the_owner_sees_everything_a_stranger_and_nobody_nothing(
    client_of: Client, radiologist: Actor, stranger: Actor, stored: str, services: Services
) -> None:
    for path in paths(stored):
        assert client_of([router], radiologist).get(path).status_code == 200, path
        answer = client_of([router], stranger).get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "not_found"
        assert client_of([router], None).get(path).status_code == 401, path
    assert {entry.actor for entry in audit(services, "reading.view")} == {"rad"}


def test_a_reading_that_is_none_is_not_found(client_of: Client, radiologist: Actor) -> None:
    for path in paths("0" * 32):
        assert client_of([router], radiologist).get(path).status_code == 404


def test_a_slice_is_the_readings(client_of: Client, radiologist: Actor, stored: str, reading: Reading) -> None:
    answer = client_of([router], radiologist).get(f"/api/v1/readings/{stored}/series/S1/slices/{MIDDLE}")
    assert answer.headers["content-type"] == "application/octet-stream"
    values = np.frombuffer(answer.content, dtype="<i2").reshape(240, 160)
    assert np.array_equal(values, reading.study.series[0].volume.slice_image(MIDDLE))
    labels = client_of([router], radiologist).get(f"/api/v1/readings/{stored}/series/S1/labels/{MIDDLE}").content
    assert np.array_equal(
        np.frombuffer(labels, dtype="<u2").reshape(240, 160), reading.segmented.label_maps[0].array[:, :, MIDDLE].T
    )


def test_what_is_known_is_not_sent_again(client_of: Client, radiologist: Actor, stored: str) -> None:
    client = client_of([router], radiologist)
    for path in paths(stored)[2:]:
        first = client.get(path)
        etag = first.headers["etag"]
        assert "private" in first.headers["cache-control"]
        assert first.headers["vary"] == "Cookie"
        again = client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b""), path
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    one, two = (client.get(f"/api/v1/readings/{stored}/series/S1/slices/{k}").headers["etag"] for k in (0, 1))
    assert one != two


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("/series/S1/slices/5", 404),
        ("/series/S1/slices/-1", 422),
        ("/series/S1/slices/one", 422),
        ("/series/S1/slices/1e3", 422),
        ("/series/S1/slices/99999999999999999999", 422),
        ("/series/S9/slices/0", 404),
        ("/series/S2/labels/0", 404),
        ("/series/..%2F..%2Fetc/slices/0", 404),
        ("/series/S1.labels/slices/0", 404),
        ("/files/..%2F..%2Fsecret.key", 404),
        ("/files/%2Fetc%2Fpasswd", 404),
        ("/files/viewer-S1.i16", 404),
        ("/files/saliency.json", 404),
        ("/files/" + "a" * 300, 422),
        ("/saliency/..%2Fviewer", 404),
        ("/saliency/%00", 404),
        ("/saliency/g999", 404),
    ],
)
def test_what_is_not_there_is_refused(
    client_of: Client, radiologist: Actor, stored: str, end: str, status: int
) -> None:
    answer = client_of([router], radiologist).get(f"/api/v1/readings/{stored}{end}")
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("rid", ["%00", "..%2F..", "a b", "x" * 65])
def test_an_id_that_can_be_none_is_refused(client_of: Client, radiologist: Actor, rid: str) -> None:
    assert client_of([router], radiologist).get(f"/api/v1/readings/{rid}/viewer").status_code in (404, 422)


def test_a_heat_map_tells_its_slice_and_its_absence_a_reason(
    client_of: Client, radiologist: Actor, stored: str
) -> None:
    client = client_of([router], radiologist)
    answer = client.get(f"/api/v1/readings/{stored}/saliency/g14")
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["x-series"], answer.headers["x-slice"]) == ("S1", str(MIDDLE))
    none = client.get(f"/api/v1/readings/{stored}/saliency/g2")
    assert none.status_code == 404
    assert none.json()["error"] == {"code": "no_saliency", "message": "not computed: not positive"}
    manifest = client.get(f"/api/v1/readings/{stored}/viewer").json()
    assert manifest["saliency"] == {"g14": {"series": "S1", "slice": MIDDLE}}


def test_files_for_people_are_listed_and_sent_as_attachments(
    client_of: Client, radiologist: Actor, stored: str, services: Services
) -> None:
    client = client_of([router], radiologist)
    rows: list[dict[str, Any]] = client.get(f"/api/v1/readings/{stored}/files").json()
    assert [row["name"] for row in rows] == ["report.md"]
    answer = client.get(f"/api/v1/readings/{stored}/files/report.md")
    assert answer.headers["content-disposition"] == 'attachment; filename="report.md"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == b"# draft"
    (line,) = audit(services, "reading.download")
    assert line.details["file"] == "report.md"


def test_a_view_is_written_down_once(
    client_of: Client, radiologist: Actor, administrator: Actor, stored: str, services: Services
) -> None:
    for actor in (radiologist, radiologist, administrator):
        for path in paths(stored)[3:]:
            client_of([router], actor).get(path)
    lines = audit(services, "reading.view")
    assert [line.actor for line in lines] == ["rad", "admin"]
    assert lines[0].subject.startswith("study:")
    assert lines[0].details == {"reading": stored, "writer": "spine-tiny"}


def test_a_reading_without_pictures_says_so(
    client_of: Client, radiologist: Actor, services: Services, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        rid = add_study(session, radiologist, document)[1].id
    client = client_of([router], radiologist)
    assert client.get(f"/api/v1/readings/{rid}").json()["schema"] == "spinescribe.reading/1"
    answer = client.get(f"/api/v1/readings/{rid}/viewer")
    assert answer.status_code == 404
    assert "read the study again" in answer.json()["error"]["message"]
    assert client.get(f"/api/v1/readings/{rid}/saliency/g1").status_code == 404


def test_a_slice_is_found_without_the_long_document(services: Services, radiologist: Actor, document: Any) -> None:
    with services.database.begin() as session:
        _, reading = add_study(session, radiologist, document)
    assert "document" in inspect(view_reading(services, radiologist, reading.id)).unloaded
    assert "document" not in inspect(view_reading(services, radiologist, reading.id, document=True)).unloaded
