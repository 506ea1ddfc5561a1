"""DIMSE nodes that refuse, die, are busy or silent: words for it, nothing lost, tried again where it may help."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom.acse import ACSE

from service.pacs.config import OwnConfig
from service.pacs.errors import PacsError
from service.pacs.query import Query
from tests.pacs.clients import OUR_TITLE, dimse, node_of, of_orthanc, uids_in
from tests.pacs.dcmtk import Dcmqrscp
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import free_port
from tests.pacs.servers import TITLE, Fragile, deaf_server, refusing_server
from tests.pacs.slices import IDENTITY, PATIENT_ID, write_study

pytestmark = [pytest.mark.pacs, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]


def test_a_title_that_orthanc_does_not_know_may_not_ask(orthanc: Orthanc) -> None:
    node = node_of(of_orthanc(orthanc), own=OwnConfig("STRANGER"))
    with pytest.raises(PacsError, match="it may not know our AE title"):
        node.find(Query(modality="MR"))


@pytest.mark.parametrize("server", ["orthanc", "dcmqrscp"])
def test_a_wrong_title_of_the_node_is_refused(server: str, request: pytest.FixtureRequest) -> None:
    found: Orthanc | Dcmqrscp = request.getfixturevalue(server)
    port = found.dicom_port if isinstance(found, Orthanc) else found.port
    with pytest.raises(PacsError, match="Called AE title not recognised; look at the node's ae_title") as caught:
        node_of(dimse(port, "NOBODY")).echo()
    assert (caught.value.code, caught.value.again) == ("refused", False)


def test_a_refusal_that_is_read_before_its_caller_looks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine pynetdicom finds the connection closed already, and forgets why."""
    send_request = ACSE.send_request

    def send_and_sleep(service: ACSE) -> None:
        send_request(service)
        time.sleep(0.5)

    monkeypatch.setattr(ACSE, "send_request", send_and_sleep)
    with Fragile(callers=("SOMEONE",)).running() as server, pytest.raises(PacsError) as caught:
        node_of(dimse(server.port, TITLE)).echo()
    assert "Calling AE title not recognised; our AE title (own.ae_title) must be registered" in str(caught.value)
    assert (caught.value.code, caught.value.again) == ("refused", False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it ends pynetdicom's thread
@pytest.mark.parametrize(("result", "again"), [(1, False), (2, True)])
def test_a_refusal_for_a_reason_that_dicom_lacks_may_still_be_for_now(result: int, again: bool) -> None:
    with refusing_server(result, 1, 77) as port, pytest.raises(PacsError, match="no reason that DICOM") as caught:
        node_of(dimse(port, TITLE, wait_s=2.0)).echo()
    assert (caught.value.code, caught.value.again) == ("refused", again)


def test_a_dead_port(tmp_path: Path) -> None:
    dead = node_of(dimse(free_port(), "ANY", attempts=2))
    with pytest.raises(PacsError, match="nothing listens there") as caught:
        dead.echo()
    assert (caught.value.code, caught.value.again) == ("unreachable", True)
    with pytest.raises(PacsError, match="nothing listens there"):
        dead.send(write_study(tmp_path, "failures/dead").files)
    with pytest.raises(PacsError, match="nothing listens there"):
        dead.fetch("1.2.3", tmp_path / "none")


def test_a_deaf_server_is_given_up_in_time() -> None:
    began = time.monotonic()
    with deaf_server() as port, pytest.raises(PacsError, match="did not answer within 1 s") as caught:
        node_of(dimse(port, "ANY", wait_s=1.0)).echo()
    assert (caught.value.code, caught.value.again) == ("timeout", True)
    assert time.monotonic() - began < 20


def test_a_node_that_falls_silent_is_given_up() -> None:
    with Fragile(slow_s=4.0).running() as server, pytest.raises(PacsError, match="silent for 2 s") as caught:
        node_of(dimse(server.port, TITLE, wait_s=2.0)).find(Query(modality="MR"))
    assert (caught.value.code, caught.value.again) == ("timeout", True)


def test_a_node_without_the_service_says_so(tmp_path: Path) -> None:
    with Fragile().running() as server:
        node = node_of(replace(dimse(server.port, TITLE), fetch="move"), own=OwnConfig(move_port=free_port()))
        with pytest.raises(PacsError, match="none of the services") as caught:
            node.fetch("1.2.3", tmp_path / "in")
    assert (caught.value.code, caught.value.again) == ("refused", False)


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(PacsError, match=r"cannot be resolved|no connection"):
        node_of(replace(dimse(104, "ANY"), host="nowhere.invalid")).echo()


def test_a_server_that_dies_in_the_middle_is_asked_again(tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/dies")
    with Fragile(study.files, dies_after=[2, 4], told=6).running() as server:
        fetched = node_of(dimse(server.port, TITLE, attempts=3)).fetch(study.study_instance_uid, tmp_path / "in")
        assert server.transfers == 3
    assert (fetched.is_whole, fetched.expected, fetched.new, fetched.differing) == (True, 6, 6, 0)
    assert uids_in(tmp_path / "in") == study.sop_instance_uids


@pytest.mark.parametrize("tells", [True, False])
def test_half_a_study_is_told_and_can_be_fetched_again(tmp_path: Path, tells: bool) -> None:
    study = write_study(tmp_path / "sent", "failures/half")
    with Fragile(study.files, dies_after=[2], told=6 if tells else None).running() as server:
        node = node_of(dimse(server.port, TITLE))
        half = node.fetch(study.study_instance_uid, tmp_path / "in")
        assert (half.is_whole, half.instances, half.expected) == (False, 2, 6 if tells else None)
        assert "broke the connection off" in str(half.reason)
        assert len(uids_in(tmp_path / "in")) == 2
        rest = node.fetch(study.study_instance_uid, tmp_path / "in")
        assert (rest.is_whole, rest.new, rest.known, rest.expected) == (True, 4, 2, 6)
    assert uids_in(tmp_path / "in") == study.sop_instance_uids


def test_nothing_came_is_an_error(tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/nothing")
    with Fragile(study.files, dies_after=[0]).running() as server, pytest.raises(PacsError, match="broke"):
        node_of(dimse(server.port, TITLE)).fetch(study.study_instance_uid, tmp_path / "in")


def test_an_archive_that_has_fewer_than_it_says(tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/fewer")
    with Fragile(study.files[:4], told=6).running() as server:
        half = node_of(dimse(server.port, TITLE)).fetch(study.study_instance_uid, tmp_path / "in")
    assert (half.is_whole, half.reason) == (False, "4 of 6 instances came")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = write_study(tmp_path / "sent", "failures/full")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.pacs.files.os.fsync", full)
    with Fragile(study.files).running() as server, pytest.raises(PacsError, match="No space left"):
        node_of(dimse(server.port, TITLE)).fetch(study.study_instance_uid, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_busy_node_gets_what_it_did_not_take_and_nothing_twice(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/busy")
    with Fragile(busy=[0xA700, 0xA701]).running() as server:
        outcomes = node_of(dimse(server.port, TITLE, attempts=3)).send(study.files)
        assert all(outcome.is_stored for outcome in outcomes)
        assert len(server.stored) == 6
        assert set(server.stored) == study.sop_instance_uids


def test_a_node_that_stays_busy_is_told_file_by_file(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/refusing", series=1)
    with Fragile(busy=[0xA700, 0xC000, 0x0000, 0xA700]).running() as server:
        outcomes = node_of(dimse(server.port, TITLE, attempts=2)).send(study.files)
    assert [(outcome.is_stored, outcome.again) for outcome in outcomes] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    assert outcomes[0].reason == "it is out of resources (status A700)"
    assert outcomes[1].reason == "it cannot understand or process the request (status C000)"


def test_a_node_that_does_not_know_us_is_told_and_loses_nothing(tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/unknown", series=1)
    with Fragile(study.files, callers=("SOMEONE",)).running() as server:
        node = node_of(dimse(server.port, TITLE, attempts=3))
        for ask in (lambda: node.send(study.files), lambda: node.fetch(study.study_instance_uid, tmp_path / "in")):
            with pytest.raises(PacsError, match=r"our AE title \(own.ae_title\) must be registered") as caught:
                ask()
            assert (caught.value.code, caught.value.again) == ("refused", False)
        assert (server.stored, server.transfers) == ([], 0)
    assert len(study.sop_instance_uids) == 3


def test_a_node_that_dies_while_it_is_sent_to_gets_the_rest(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/half-sent")
    with Fragile(dies_storing=[2, 4]).running() as server:
        outcomes = node_of(dimse(server.port, TITLE, attempts=3)).send(study.files)
        assert all(outcome.is_stored for outcome in outcomes)
        assert sorted(server.stored) == sorted(study.sop_instance_uids)


def test_what_was_not_sent_when_a_node_died_is_told_file_by_file(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/half-told")
    with Fragile(dies_storing=[2]).running() as server:
        outcomes = node_of(dimse(server.port, TITLE)).send(study.files)
    assert [outcome.is_stored for outcome in outcomes] == [True] * 2 + [False] * 4
    assert all(outcome.again and "broke the connection off" in outcome.reason for outcome in outcomes[2:])


def test_a_node_that_falls_silent_while_it_is_sent_to_is_asked_again(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/silent", series=1)
    with Fragile(slow_storing_s=[0.0, 4.0]).running() as server:
        once = node_of(dimse(server.port, TITLE, wait_s=2.0)).send(study.files)
        assert [outcome.is_stored for outcome in once] == [True, False, False]
        assert once[1].reason == "the node was silent for 2 s"
        again = node_of(dimse(server.port, TITLE)).send(study.files)
        assert all(outcome.is_stored for outcome in again)
        assert set(server.stored) == study.sop_instance_uids


def test_a_node_that_falls_silent_in_a_transfer_is_asked_again(tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/silent-get", series=1)
    with Fragile(study.files, dies_after=[2], silent_s=4.0, told=3).running() as server:
        node = node_of(dimse(server.port, TITLE, wait_s=2.0))
        half = node.fetch(study.study_instance_uid, tmp_path / "in")
        assert (half.is_whole, half.instances, half.reason) == (False, 2, "the node was silent for 2 s")
        rest = node.fetch(study.study_instance_uid, tmp_path / "in")
        assert (rest.is_whole, rest.new, rest.known) == (True, 1, 2)


def test_what_a_node_holds_already_counts_as_sent(tmp_path: Path) -> None:
    study = write_study(tmp_path, "failures/duplicate", series=1)
    with Fragile(busy=[0x0111, 0xB007]).running() as server:
        outcomes = node_of(dimse(server.port, TITLE)).send(study.files)
    assert [(outcome.is_stored, outcome.reason) for outcome in outcomes] == [
        (True, "status 0111"), (True, "status B007"), (True, ""),
    ]  # fmt: skip


def test_a_taken_port_for_c_move_is_told(orthanc: Orthanc, tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "failures/port", series=1)
    node_of(of_orthanc(orthanc)).send(study.files)
    with deaf_server() as port, pytest.raises(PacsError, match=f"own.move_port {port}"):
        node_of(of_orthanc(orthanc, fetch="move"), own=OwnConfig(OUR_TITLE, move_port=port)).fetch(
            study.study_instance_uid, tmp_path / "in"
        )


def test_nothing_of_a_patient_is_logged(
    orthanc: Orthanc, tmp_path: Path, our_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    study = write_study(tmp_path / "sent", "failures/log")
    for fetch in ("get", "move"):
        node = node_of(of_orthanc(orthanc, fetch=fetch), own=OwnConfig(OUR_TITLE, move_port=our_port))
        node.send(study.files)
        assert PATIENT_ID not in repr(node.find(Query(patient_id=PATIENT_ID)))
        node.fetch(study.study_instance_uid, tmp_path / fetch)
    for word in IDENTITY:
        assert word not in caplog.text
        assert not [file for file in (tmp_path / "get").iterdir() if word in file.name]
