"""What is sent arrives whole, from those who may send; the rest is refused, and nothing is said of a patient."""

import logging
import socket
import subprocess
import threading
import time
import zipfile
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from imaging import load_study
from imaging.dicom.sop_classes import LABEL_MAP_SEGMENTATION
from service.pacs import listener as listener_module
from service.services import Services
from tests.pacs.arriving import (
    CALLER,
    associate,
    client_tls,
    deliveries,
    jobs,
    lines,
    running,
    send,
    status_of,
    studies,
)
from tests.pacs.dcmtk import echoscu, storescu
from tests.pacs.ports import LOOPBACK
from tests.pacs.slices import IDENTITY, SmallStudy, write_study
from tests.service.conftest import add_user

pytestmark = pytest.mark.pacs


@pytest.fixture
def study(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "listener")


@pytest.fixture
def taken(services: Services) -> Services:
    """Return a service with the user who owns what arrives."""
    add_user(services, "rad")
    return services


def everything_written(services: Services) -> str:
    """Return names of files and rows of the service, outside the instances themselves."""
    names = " ".join(str(file) for file in services.config.home.rglob("*"))
    rows = [*deliveries(services), *studies(services), *lines(services, "study.arrive"), *jobs(services)]
    return names + " ".join(str(vars(row)) for row in rows)


def test_a_study_by_pynetdicom_becomes_an_entry(
    taken: Services, study: SmallStudy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(taken) as there:
        assert send(there.port, *study.files) == [0] * 6
        assert not studies(taken)
        there.settle(lambda: bool(studies(taken)))
    (entry,) = studies(taken)
    assert entry.status == "queued"
    assert entry.upload_suffix == ".zip"
    assert entry.label.endswith(f"6 instances from {CALLER}")
    assert [job.study_id for job in jobs(taken)] == [entry.id]
    assert taken.queue.ids() == {jobs(taken)[0].id}
    with zipfile.ZipFile(taken.blobs.path(entry.upload_sha256)) as archive:
        kept = {dcmread(archive.open(name)).SOPInstanceUID for name in archive.namelist()}
    assert kept == study.sop_instance_uids
    (line,) = lines(taken, "study.arrive")
    assert (line.actor, line.subject) == (f"pacs:{CALLER}", f"study:{entry.id}")
    assert line.details == {"instances": 6, "new": 6, "delivery": 1, "aside": 0, "is_broken_off": False}
    written = everything_written(taken) + caplog.text
    assert not [word for word in (*IDENTITY, study.study_instance_uid) if word in written]


def test_what_arrived_reads_as_what_was_sent(taken: Services, study: SmallStudy) -> None:
    with running(taken) as there:
        send(there.port, *study.files)
        there.settle(lambda: bool(studies(taken)))
    kept = taken.blobs.path(studies(taken)[0].upload_sha256)
    copy = kept.parent / "study.zip"
    copy.hardlink_to(kept)
    assert load_study(copy, protocol="lumbar").key == load_study(study.folder, protocol="lumbar").key


def test_dcmtk_sends_and_is_answered(taken: Services, study: SmallStudy, dcmtk: None) -> None:
    with running(taken) as there:
        assert echoscu(there.port, called="SPINESCRIBE", calling=CALLER).returncode == 0
        sent = storescu(there.port, study.folder, called="SPINESCRIBE", calling=CALLER)
        assert sent.returncode == 0, sent.stderr
        there.settle(lambda: bool(studies(taken)))
    assert len(deliveries(taken)[0].instances) == 6


@pytest.mark.parametrize(
    ("calling", "called", "reason"), [("STRANGER", "SPINESCRIBE", "Calling"), (CALLER, "SOMEONE", "Called")]
)
def test_strangers_are_refused(
    taken: Services,
    study: SmallStudy,
    dcmtk: None,
    calling: str,
    called: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running(taken) as there:
        sent = storescu(there.port, study.folder, called=called, calling=calling)
        assert sent.returncode != 0
        assert f"{reason} AE Title Not Recognized".encode() in sent.stderr
        assert not list((taken.config.work_dir / "pacs").rglob("*.dcm"))
    assert f"association refused: '{calling}' called '{called}'" in caplog.text


def test_only_so_many_associations_at_a_time(taken: Services, study: SmallStudy, dcmtk: None) -> None:
    with running(taken, max_associations=1) as there:
        first = associate(there.port)
        assert first.is_established
        second = echoscu(there.port, called="SPINESCRIBE", calling=CALLER)
        assert b"Local Limit Exceeded" in second.stderr
        first.release()
        again = study.files[0]
        there.settle(lambda: storescu(there.port, again, called="SPINESCRIBE", calling=CALLER).returncode == 0)
        there.settle(lambda: bool(studies(taken)))
    assert len(deliveries(taken)[0].instances) == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def test_tls_asks_for_a_certificate_and_refuses_plain_calls(
    taken: Services, study: SmallStudy, certificates: Path, dcmtk: None
) -> None:
    files = {
        "tls_certificate": str(certificates / "server.pem"),
        "tls_key": str(certificates / "server.key"),
        "tls_callers": str(certificates / "client.pem"),
    }
    with running(taken, **files) as there:
        assert send(there.port, *study.files, tls_args=client_tls(certificates)) == [0] * 6
        assert not associate(there.port).is_established
        assert not associate(there.port, tls_args=client_tls(certificates, shows=False)).is_established
        key, certificate = str(certificates / "client.key"), str(certificates / "client.pem")
        options = ("+tls", key, certificate, "+cf", str(certificates / "server.pem"))
        assert echoscu(there.port, called="SPINESCRIBE", calling=CALLER, options=options).returncode == 0
        assert echoscu(there.port, called="SPINESCRIBE", calling=CALLER).returncode != 0


@pytest.mark.parametrize("has_tls", [False, True])
def test_who_falls_silent_holds_no_thread(
    taken: Services, certificates: Path, has_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_START_S", 1.0)
    files = {"tls_certificate": str(certificates / "server.pem"), "tls_key": str(certificates / "server.key")}
    with running(taken, idle_s=1.0, **(files if has_tls else {})) as there:
        before = threading.active_count()
        half = (b"", b"\x16\x03\x01", b"\x01\x00\x00\x00\x10\x00ab", b"GET / HTTP/1.0\r\n\r\n")
        callers = [socket.create_connection((LOOPBACK, there.port)) for _ in half]
        for caller, words in zip(callers, half, strict=True):
            caller.sendall(words)
        time.sleep(0.3)
        there.settle(lambda: threading.active_count() <= before)
        for caller in callers:
            caller.close()


def test_the_same_twice_is_kept_once_and_other_bytes_aside(taken: Services, study: SmallStudy) -> None:
    other = dcmread(study.files[0])
    other.SeriesDescription = "another"
    with running(taken) as there:
        assert send(there.port, *study.files, *study.files) == [0] * 12
        association = associate(there.port)
        assert status_of(association.send_c_store(other)) == 0x0111
        association.release()
        there.settle(lambda: bool(studies(taken)))
    assert len(deliveries(taken)[0].instances) == 6
    assert lines(taken, "study.arrive")[0].details["aside"] == 1
    assert len(list((taken.config.work_dir / "pacs" / "aside").rglob("*.dcm"))) == 1


def test_another_transfer_syntax_is_the_same_instance(taken: Services, study: SmallStudy, dcmtk: None) -> None:
    with running(taken) as there:
        send(there.port, *study.files)
        for options in (("-xi",), ("-xb",)):
            sent = storescu(there.port, study.folder, called="SPINESCRIBE", calling=CALLER, options=options)
            assert sent.returncode == 0, sent.stderr
        there.settle(lambda: bool(studies(taken)))
    assert lines(taken, "study.arrive")[0].details["aside"] == 0


def test_a_study_that_was_broken_off_says_so_and_comes_whole_later(taken: Services, study: SmallStudy) -> None:
    with running(taken) as there:
        association = associate(there.port)
        for file in study.files[:4]:
            assert status_of(association.send_c_store(dcmread(file))) == 0
        association.abort()
        there.settle(lambda: bool(studies(taken)))
        assert "4 instances" in studies(taken)[0].label
        assert "broke off" in studies(taken)[0].label
        assert lines(taken, "study.arrive")[0].details["is_broken_off"] is True
        assert send(there.port, *study.files) == [0] * 6
        there.settle(lambda: len(studies(taken)) == 2)
        assert send(there.port, *study.files) == [0] * 6
        there.settle(lambda: not _files(taken, "arriving") and not _files(taken, "taking"))
    first, second = studies(taken)
    assert first.upload_sha256 != second.upload_sha256
    assert second.label.endswith(f"6 instances from {CALLER}, delivery 2")
    assert [len(item.instances) for item in deliveries(taken)] == [4, 6]


def test_who_falls_silent_within_a_study_is_ended_and_what_came_is_read(
    taken: Services, study: SmallStudy
) -> None:
    with running(taken, idle_s=1.0) as there:
        association = associate(there.port)
        for file in study.files[:2]:
            assert status_of(association.send_c_store(dcmread(file))) == 0
        there.settle(lambda: bool(studies(taken)))
        assert "2 instances" in studies(taken)[0].label
        assert "broke off" in studies(taken)[0].label
        assert send(there.port, *study.files) == [0] * 6
        there.settle(lambda: len(studies(taken)) == 2)
    assert [len(item.instances) for item in deliveries(taken)] == [2, 6]


def test_an_association_that_dies_without_a_word_holds_up_no_study(taken: Services, study: SmallStudy) -> None:
    with running(taken) as there:
        association = associate(there.port)
        assert status_of(association.send_c_store(dcmread(study.files[0]))) == 0
        (theirs,) = there.listener._calls.open
        theirs.dul.kill_dul()  # no event tells of it
        there.settle(lambda: bool(studies(taken)))
        assert "broke off" in studies(taken)[0].label
        assert not there.listener._calls.open


def test_an_open_association_keeps_its_study_waiting(taken: Services, study: SmallStudy) -> None:
    with running(taken) as there:
        association = associate(there.port)
        association.send_c_store(dcmread(study.files[0]))
        until = time.monotonic() + 4 * there.intake.config.quiet_s
        while time.monotonic() < until:
            there.intake.step()
            time.sleep(0.05)
        assert not studies(taken)
        association.release()
        there.settle(lambda: bool(studies(taken)))


def test_a_full_disk_is_told_and_loses_nothing(taken: Services, study: SmallStudy) -> None:
    size = study.files[0].stat().st_size
    with running(taken, max_gb=2.5 * size / 10**9) as there:
        assert send(there.port, *study.files[:4]) == [0, 0, 0xA700, 0xA700]
        there.settle(lambda: bool(studies(taken)))
        assert send(there.port, *study.files[2:4]) == [0, 0]
        there.settle(lambda: len(studies(taken)) == 2)
    with running(taken, free_gb=10.0**9) as there:
        assert send(there.port, study.files[5]) == [0xA700]
    assert len(deliveries(taken)[-1].instances) == 4


def test_a_full_queue_is_waited_for(taken: Services, study: SmallStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.errors import BusyError
    from service.pacs import intake

    def refuse(*_arguments: object, **_words: object) -> None:
        raise BusyError("full", retry_after_s=1)

    with running(taken) as there:
        send(there.port, *study.files)
        with monkeypatch.context() as patch:
            patch.setattr(intake, "add_study", refuse)
            there.settle(lambda: bool(_files(taken, "taking")))
            there.intake.step()
        assert len(_files(taken, "taking")) == 6
        there.settle(lambda: bool(studies(taken)))
    assert not _files(taken, "taking")


def test_an_instance_that_is_too_large_is_cut_off(taken: Services, study: SmallStudy) -> None:
    large = dcmread(study.files[0])
    large.Rows, large.Columns = 1024, 1024
    large.PixelData = bytes(1024 * 1024 * 2)
    with running(taken, max_instance_mb=1) as there:
        association = associate(there.port)
        assert status_of(association.send_c_store(large)) != 0
        assert send(there.port, *study.files) == [0] * 6
    assert len(_files(taken, "arriving")) == 6


def test_what_has_no_study_is_refused(taken: Services, study: SmallStudy) -> None:
    lost = dcmread(study.files[0])
    del lost.StudyInstanceUID
    with running(taken) as there:
        association = associate(there.port)
        assert status_of(association.send_c_store(lost)) == 0xA900
        association.release()


def test_a_deleted_study_may_come_again(taken: Services, study: SmallStudy) -> None:
    from service.accounts.actor import Actor
    from service.store.tables import User
    from service.studies.lifecycle import cancel_study, delete_study

    with running(taken) as there:
        send(there.port, *study.files)
        there.settle(lambda: bool(studies(taken)))
        with taken.database.read() as session:
            actor = Actor.of(session.query(User).filter_by(name="rad").one())
        cancel_study(taken, actor, studies(taken)[0].id)
        delete_study(taken, actor, studies(taken)[0].id)
        assert not deliveries(taken)
        send(there.port, *study.files)
        there.settle(lambda: bool(studies(taken)))
    assert deliveries(taken)[0].number == 1


def test_what_travels_with_the_images_is_taken_but_makes_no_entry_alone(
    taken: Services, study: SmallStudy, tmp_path: Path, dcmtk: None
) -> None:
    capture = dcmread(study.files[0])
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    capture.Modality, capture.SeriesInstanceUID = "OT", generate_uid()
    files = []
    for number in range(2):
        capture.SOPInstanceUID = capture.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        files.append(study.folder / f"capture-{number}.dcm")
        capture.save_as(files[-1], enforce_file_format=True)
    late = tmp_path / "late.dcm"
    files[1].rename(late)
    with running(taken) as there:
        sent = storescu(there.port, study.folder, called="SPINESCRIBE", calling=CALLER)
        assert sent.returncode == 0, sent.stderr
        there.settle(lambda: bool(studies(taken)))
        assert storescu(there.port, late, called="SPINESCRIBE", calling=CALLER).returncode == 0
        there.settle(lambda: bool(_files(taken, "aside")))
        there.settle(lambda: not _files(taken, "taking"))
    assert len(studies(taken)) == 1
    assert len(deliveries(taken)[0].instances) == 7
    kept = taken.blobs.path(studies(taken)[0].upload_sha256)
    (kept.parent / "study.zip").hardlink_to(kept)
    assert len(load_study(kept.parent / "study.zip", protocol="lumbar").series) == 2


def test_a_label_map_segmentation_travels_with_the_images_too(taken: Services, study: SmallStudy) -> None:
    """pydicom's table lacks its class; an archive that holds one forwards it with the study."""
    segmentation = dcmread(study.files[0])
    segmentation.SOPClassUID = segmentation.file_meta.MediaStorageSOPClassUID = LABEL_MAP_SEGMENTATION
    segmentation.SOPInstanceUID = segmentation.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    with running(taken) as there:
        association = associate(there.port, wanted=(LABEL_MAP_SEGMENTATION,))
        assert status_of(association.send_c_store(segmentation)) == 0
        association.release()
        there.settle(lambda: bool(_files(taken, "aside")))
    assert studies(taken) == []


def _files(services: Services, where: str) -> list[Path]:
    return list((services.config.work_dir / "pacs" / where).rglob("*.dcm"))
