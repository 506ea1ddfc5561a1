"""DICOMweb with a real Orthanc, and with servers that break off, redirect or refuse."""

import logging
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from service.pacs.errors import PacsError
from service.pacs.node import Node
from service.pacs.query import Level, Query
from tests.pacs.clients import SECRET, dicomweb, node_of, uids_in
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import LOOPBACK, free_port
from tests.pacs.servers import deaf_server, http_server
from tests.pacs.slices import ACCESSION, IDENTITY, NAME, PATIENT_ID, SmallStudy, write_study

pytestmark = pytest.mark.pacs


@pytest.fixture
def node(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Return Orthanc's DICOMweb, with its login."""
    monkeypatch.setenv(SECRET, orthanc.password)
    return node_of(dicomweb(orthanc.dicomweb_url, user=orthanc.user))


@pytest.fixture
def study(node: Node, tmp_path: Path) -> SmallStudy:
    """Return a study sent by STOW-RS."""
    study = write_study(tmp_path / "sent", "web/first")
    assert all(outcome.is_stored for outcome in node.send(study.files))
    return study


def test_echo_and_what_was_sent_is_there(node: Node, study: SmallStudy, orthanc: Orthanc) -> None:
    node.echo()
    assert orthanc.instances() == study.sop_instance_uids


@pytest.mark.parametrize(
    "query",
    [
        Query(date="20260701-20260731", modality="MR"),
        Query(patient_id=PATIENT_ID),
        Query(accession_number=ACCESSION),
    ],
)
def test_find(node: Node, study: SmallStudy, query: Query) -> None:
    [row] = node.find(query).rows
    assert row.study_instance_uid == study.study_instance_uid
    assert (row.date, row.patient_name, row.instances, row.modalities) == ("20260704", NAME, 6, ("MR",))


def test_find_series_and_nothing(node: Node, study: SmallStudy) -> None:
    rows = node.find(Query(level=Level.SERIES, study_instance_uid=study.study_instance_uid)).rows
    assert sorted(row.series_number or 0 for row in rows) == [1, 2]
    assert node.find(Query(date="20250101-20251231")).rows == ()
    assert node.find(Query(modality="CT")).rows == ()


def test_fetch_twice(node: Node, study: SmallStudy, tmp_path: Path) -> None:
    fetched = node.fetch(study.study_instance_uid, tmp_path / "fetched")
    assert (fetched.is_whole, fetched.expected, fetched.new) == (True, 6, 6), fetched
    assert uids_in(tmp_path / "fetched") == study.sop_instance_uids
    sent = {str(dataset.SOPInstanceUID): dataset for dataset in map(dcmread, study.files)}
    for file in (tmp_path / "fetched").iterdir():
        came = dcmread(file)
        assert came == sent[came.SOPInstanceUID]
    again = node.fetch(study.study_instance_uid, tmp_path / "fetched")
    assert (again.is_whole, again.new, again.known, again.differing) == (True, 0, 6, 0)


def test_a_file_that_was_there_with_other_bytes_stays(node: Node, study: SmallStudy, tmp_path: Path) -> None:
    node.fetch(study.study_instance_uid, tmp_path)
    file = min(tmp_path.glob("*.dcm"))
    dataset = dcmread(file)
    dataset.SeriesDescription = "other"
    dataset.save_as(file, enforce_file_format=True)
    kept = file.read_bytes()
    assert node.fetch(study.study_instance_uid, tmp_path).differing == 1
    assert file.read_bytes() == kept


def test_a_wrong_password_is_refused_and_in_no_word(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(SECRET, "not-the-password")
    with pytest.raises(PacsError, match="refused the login") as caught:
        node_of(dicomweb(orthanc.dicomweb_url, user=orthanc.user)).find(Query(patient_id=PATIENT_ID))
    assert (caught.value.code, caught.value.again) == ("refused", False)
    _assert_silent(caplog, "not-the-password")


def test_neither_token_nor_identity_is_in_a_log(
    node: Node, study: SmallStudy, orthanc: Orthanc, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    node.find(Query(patient_id=PATIENT_ID))
    node.send(study.files)
    node.fetch(study.study_instance_uid, tmp_path / "fetched")
    _assert_silent(caplog, orthanc.password)


def test_a_bearer_token_goes_to_the_node_and_not_where_it_redirects(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(SECRET, "t0ken-of-the-node")
    with http_server(b"") as (elsewhere, asked_elsewhere):
        answer = f"HTTP/1.1 302 Found\r\nLocation: http://{LOOPBACK}:{elsewhere}/\r\nContent-Length: 0\r\n\r\n"
        with http_server(answer.encode()) as (port, asked):
            with pytest.raises(PacsError, match="redirects"):
                node_of(dicomweb(f"http://{LOOPBACK}:{port}")).echo()
            assert b"Authorization: Bearer t0ken-of-the-node" in asked[0]
        assert asked_elsewhere == []
    _assert_silent(caplog, "t0ken-of-the-node")


@pytest.mark.parametrize("has_length", [True, False])
def test_an_answer_that_breaks_off_leaves_whole_files_and_is_asked_for_again(
    has_length: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SECRET, "token")
    study = write_study(tmp_path / "sent", "web/broken", series=1, slices=12)
    row = f'[{{"0020000D": {{"vr": "UI", "Value": ["{study.study_instance_uid}"]}}}}]'.encode()
    found = _http("application/dicom+json", row)
    head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(head + file.read_bytes() + b"\r\n" for file in study.files) + b"--b--\r\n"
    whole = _http('multipart/related; type="application/dicom"; boundary=b', body, has_length=has_length)
    with http_server(found, whole[:-3000], found, whole) as (port, _):
        node = node_of(dicomweb(f"http://{LOOPBACK}:{port}"))
        half = node.fetch(study.study_instance_uid, tmp_path / "fetched")
        assert not half.is_whole
        assert 0 < half.instances < 12
        assert "broke the connection off" in str(half.reason)
        assert len(uids_in(tmp_path / "fetched")) == half.instances
        rest = node.fetch(study.study_instance_uid, tmp_path / "fetched")
        assert (rest.is_whole, rest.new + rest.known, rest.known) == (True, 12, half.instances)
    assert uids_in(tmp_path / "fetched") == study.sop_instance_uids


@pytest.mark.parametrize(
    ("answer", "words", "code", "again"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "busy", "busy", True),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "HTTP 500", "failed", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\n\r\nDICM", "not", "malformed", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not", "malformed", False),
        (b"", "no connection", "unreachable", True),
    ],
)
def test_odd_answers(answer: bytes, words: str, code: str, again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "token")
    with http_server(answer) as (port, _), pytest.raises(PacsError, match=words) as caught:
        node_of(dicomweb(f"http://{LOOPBACK}:{port}")).echo()
    assert (caught.value.code, caught.value.again) == (code, again)


def test_a_busy_node_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "token")
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with http_server(busy, busy, _http("application/dicom+json", b"[]")) as (port, asked):
        node_of(dicomweb(f"http://{LOOPBACK}:{port}", attempts=3)).echo()
    assert len(asked) == 3


def _stored(status: str, reason: int | None = None) -> bytes:
    """Return an answer to STOW-RS: taken, or not for a reason."""
    failed = f'{{"00081198": {{"vr": "SQ", "Value": [{{"00081197": {{"vr": "US", "Value": [{reason}]}}}}]}}}}'
    body = b"{}" if reason is None else failed.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/dicom+json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def test_what_a_busy_node_did_not_take_is_sent_again_and_nothing_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SECRET, "token")
    study = write_study(tmp_path, "web/busy", series=1)
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    first = (_stored("200 OK"), busy, _stored("202 Accepted", 0xA700))
    with http_server(*first, _stored("200 OK"), _stored("200 OK")) as (port, asked):
        outcomes = node_of(dicomweb(f"http://{LOOPBACK}:{port}", attempts=2)).send(study.files)
    assert all(outcome.is_stored for outcome in outcomes)
    assert len(asked) == 5


def test_what_a_node_holds_already_counts_as_sent_and_what_it_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SECRET, "token")
    study = write_study(tmp_path, "web/duplicate", series=1)
    odd = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    with http_server(_stored("409 Conflict", 0x0111), _stored("409 Conflict", 0xC000), odd) as (port, _):
        held, refused, unknown = node_of(dicomweb(f"http://{LOOPBACK}:{port}")).send(study.files)
    assert (held.is_stored, held.reason) == (True, "status 0111")
    assert (refused.is_stored, refused.again) == (False, False)
    assert refused.reason == "it cannot understand or process the request (status C000)"
    assert (unknown.is_stored, unknown.reason) == (False, "the node refused the request (HTTP 409)")


def test_a_node_that_dies_while_it_is_sent_to_is_told_file_by_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SECRET, "token")
    study = write_study(tmp_path, "web/half", series=1)
    with http_server(_stored("200 OK"), b"") as (port, asked):
        outcomes = node_of(dicomweb(f"http://{LOOPBACK}:{port}")).send(study.files)
    assert [(outcome.is_stored, outcome.again) for outcome in outcomes] == [
        (True, False), (False, True), (False, True),
    ]  # fmt: skip
    assert len(asked) == 2


def test_a_node_that_falls_silent_while_it_is_sent_to_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SECRET, "token")
    study = write_study(tmp_path, "web/silent")
    began = time.monotonic()
    with deaf_server() as port, pytest.raises(PacsError, match="in time") as caught:
        node_of(dicomweb(f"http://{LOOPBACK}:{port}", wait_s=3.0)).send(study.files)
    assert (caught.value.code, caught.value.again) == ("timeout", True)
    assert time.monotonic() - began < 15  # not for each of the six files


def test_a_dead_port_and_a_deaf_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SECRET, "token")
    dead = node_of(dicomweb(f"http://{LOOPBACK}:{free_port()}"))
    with pytest.raises(PacsError, match="no connection"):
        dead.echo()
    with pytest.raises(PacsError, match="no connection"):
        dead.send(write_study(tmp_path, "web/dead").files)
    with deaf_server() as port, pytest.raises(PacsError, match="in time") as caught:
        node_of(dicomweb(f"http://{LOOPBACK}:{port}", wait_s=0.5)).echo()
    assert caught.value.code == "timeout"


def _http(kind: str, body: bytes, *, has_length: bool = True) -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if has_length else ""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{length}Connection: close\r\n\r\n".encode() + body


def _assert_silent(caplog: pytest.LogCaptureFixture, secret: str) -> None:
    for word in (secret, *IDENTITY):
        assert word not in caplog.text
