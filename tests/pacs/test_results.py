"""Results go back when they are due, to a node that may be down, once for each state; nothing is lost."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import update

from reporting.export.classes import Classes
from reporting.export.formats import ExportFormat
from runtime.errors import SpineScribeError
from service.accounts.actor import Actor
from service.export.request import Format
from service.pacs import results as results_module
from service.pacs.listen import listen
from service.pacs.listener_config import ListenerConfig, PushWhen
from service.pacs.results import SUPERSEDED, Results
from service.pacs.sending import send_all
from service.review.case import Case, load_case
from service.services import Services
from service.store.base import now
from service.store.tables import PacsDelivery, StudyReport
from tests.pacs.arriving import config_of, lines, pushes
from tests.pacs.clients import dimse, node_of
from tests.pacs.servers import TITLE, Fragile
from tests.pacs.slices import IDENTITY, SmallStudy, write_study
from tests.service.conftest import add_study, add_user

pytestmark = pytest.mark.pacs


@pytest.fixture
def owner(services: Services) -> Actor:
    return add_user(services, "rad")


@pytest.fixture
def small(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "results", series=1)


@pytest.fixture
def read_study(
    services: Services,
    owner: Actor,
    document: dict[str, Any],
    small: SmallStudy,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Return a study that a node sent and that was read; what is exported of it are its slices."""
    with services.database.begin() as session:
        study, _ = add_study(session, owner, document)
        delivery = PacsDelivery(dicom_study="0" * 64, number=1, study_id=study.id, sender="MR1", instances={})
        session.add(delivery)

    def gather(opened: Services, actor: Actor, study_id: str, *kinds: Format, **_: Classes) -> tuple[Case, None]:
        with opened.database.read() as session:
            return load_case(session, actor, study_id), None

    files = {file.name: file.read_bytes() for file in small.files}
    monkeypatch.setattr(results_module, "gather", gather)
    monkeypatch.setattr(results_module, "isolated_files", lambda _request, _folder: files)
    return study.id


def stand(services: Services, status: str, version: int, owner: Actor) -> None:
    """Let a report stand otherwise, as its readers would bring it about."""
    with services.database.begin() as session:
        values = {"status": status, "version": version, "signed_by": owner.user_id, "signed_at": now()}
        session.execute(update(StudyReport).values(**values))


class Node:
    """A node that takes files after it refused some calls."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals, self.calls, self.taken = refusals, 0, []  # type: ignore[var-annotated]

    def send(self, files: Sequence[Path]) -> None:
        self.calls += 1
        if self.calls <= self.refusals:
            raise SpineScribeError("the node is down")
        self.taken.append([dcmread(file) for file in files])


def results_of(services: Services, node: Node, when: PushWhen, **changes: Any) -> Results:
    config: ListenerConfig = config_of(push=when, push_to="archive", push_formats=(ExportFormat.SR,), **changes)
    return Results(services, config, node.send, first_pause_s=0.0)


def test_a_signed_report_goes_back_when_the_node_is_up_again(
    services: Services, owner: Actor, read_study: str, small: SmallStudy, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(refusals=2)
    results = results_of(services, node, PushWhen.SIGNED)
    results.step()
    assert (node.calls, pushes(services)) == (0, [])
    stand(services, "signed", 5, owner)
    for attempt in (1, 2, 3, 3):
        results.step()
        assert node.calls == attempt
    (push,) = pushes(services)
    assert (push.state, push.attempt, push.cause, push.version) == ("done", 3, None, 5)
    (sent,) = node.taken
    assert {dataset.SOPInstanceUID for dataset in sent} == small.sop_instance_uids
    (line,) = lines(services, "report.push")
    assert line.subject == f"study:{read_study}"
    assert (line.details["node"], line.details["version"], line.details["files"]) == ("archive", 5, 3)
    assert "the node is down" in caplog.text
    assert not [word for word in IDENTITY if word in caplog.text]


def test_a_draft_goes_once_and_what_was_signed_after_it(services: Services, owner: Actor, read_study: str) -> None:
    node = Node()
    results = results_of(services, node, PushWhen.DRAFT)
    results.step()
    stand(services, "draft", 2, owner)
    results.step()
    assert [(push.status, push.state) for push in pushes(services)] == [("draft", "done")]
    stand(services, "signed", 3, owner)
    results.step()
    stand(services, "amended", 4, owner)
    results.step()
    stand(services, "signed", 5, owner)
    results.step()
    assert [(push.status, push.version) for push in pushes(services)] == [
        ("draft", 1),
        ("signed", 3),
        ("signed", 5),
    ]
    assert node.calls == 3


def test_what_changed_before_it_was_sent_is_not_sent(services: Services, owner: Actor, read_study: str) -> None:
    node = Node(refusals=1)
    results = results_of(services, node, PushWhen.SIGNED)
    stand(services, "signed", 3, owner)
    results.step()
    stand(services, "amended", 4, owner)
    results.step()
    (push,) = pushes(services)
    assert (push.state, push.cause, node.calls) == ("done", SUPERSEDED, 1)
    assert not lines(services, "report.push")


def test_it_is_given_up_and_told_in_the_end(services: Services, owner: Actor, read_study: str) -> None:
    node = Node(refusals=9)
    results = results_of(services, node, PushWhen.SIGNED, push_attempts=2)
    stand(services, "signed", 3, owner)
    for _ in range(4):
        results.step()
    (push,) = pushes(services)
    assert (push.state, push.attempt, push.cause, node.calls) == ("failed", 2, "the node is down", 2)
    assert lines(services, "report.push_fail")[0].details["attempts"] == 2
    node.refusals = 0
    stop = Event()
    thread = Thread(target=results.run, args=(stop,))
    thread.start()
    until = time.monotonic() + 30
    while pushes(services)[0].state != "done" and time.monotonic() < until:
        time.sleep(0.1)
    stop.set()
    thread.join()
    assert (pushes(services)[0].state, pushes(services)[0].attempt) == ("done", 1)


def test_the_node_that_took_it_is_told_though_it_was_to_go_elsewhere(
    services: Services, owner: Actor, read_study: str
) -> None:
    node = Node(refusals=1)
    stand(services, "signed", 3, owner)
    results_of(services, node, PushWhen.SIGNED).step()
    moved = results_of(services, node, PushWhen.SIGNED)
    moved.config = replace(moved.config, push_to="elsewhere")
    moved.step()
    assert [(push.node, push.state) for push in pushes(services)] == [("elsewhere", "done")]
    assert lines(services, "report.push")[0].details["node"] == "elsewhere"


def test_tries_become_rare(services: Services, owner: Actor, read_study: str) -> None:
    node = Node(refusals=9)
    results = results_of(services, node, PushWhen.SIGNED)
    results.first_pause_s = 100.0
    stand(services, "signed", 3, owner)
    results.step()
    results.step()
    (push,) = pushes(services)
    assert node.calls == 1
    assert 90 < (push.next_at - now()).total_seconds() <= 100


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"callers": ("SOMEONE",)}, "Calling AE title not recognised"),
        ({"dies_storing": [2]}, "1 of 3 files were not stored: the node broke the connection off"),
        ({"slow_storing_s": [0.0, 4.0]}, "2 of 3 files were not stored: the node was silent for 2 s"),
        ({"busy": [0xA700]}, "1 of 3 files were not stored: it is out of resources"),
        ({"busy": [0x0000, 0xC000]}, "1 of 3 files were not stored: it cannot understand"),
    ],
    ids=["refused", "half sent", "silent", "busy", "odd"],
)
def test_what_a_node_did_not_take_whole_is_told_and_sent_again(
    trouble: dict[str, Any], words: str, services: Services, owner: Actor, read_study: str, small: SmallStudy
) -> None:
    """Over the wire, to a node that has trouble once; what it got before may come again, as the same objects."""
    stand(services, "signed", 2, owner)
    sent = small.sop_instance_uids
    with Fragile(**trouble).running() as server:
        config = dimse(server.port, TITLE, wait_s=2.0 if "slow_storing_s" in trouble else 30.0)
        results = results_of(services, Node(), PushWhen.SIGNED)
        results.send = send_all(node_of(config))
        results.step()
        (push,) = pushes(services)
        assert (push.state, push.attempt) == ("waiting", 1)
        assert words in str(push.cause)
        assert not lines(services, "report.push")
    with Fragile(busy=[0x0111]).running() as server:
        results.send = send_all(node_of(dimse(server.port, TITLE)))
        results.step()
        assert set(server.stored) < sent
    (push,) = pushes(services)
    assert (push.state, push.attempt, push.cause) == ("done", 2, None)
    assert lines(services, "report.push")[0].details["files"] == 3


def test_a_format_that_cannot_be_made_is_told_and_nothing_is_sent(
    services: Services, owner: Actor, read_study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node()
    results = results_of(services, node, PushWhen.SIGNED)
    stand(services, "signed", 2, owner)
    with monkeypatch.context() as patch:
        patch.setattr(results_module, "isolated_files", _cannot)
        results.step()
    (push,) = pushes(services)
    assert (push.state, push.cause, node.calls) == ("waiting", "the export: SEG needs a label map", 0)
    results.step()
    assert (pushes(services)[0].state, node.calls) == ("done", 1)


def _cannot(*_: object) -> dict[str, bytes]:
    raise SpineScribeError("the export: SEG needs a label map")


def test_what_a_killed_process_left_is_removed(services: Services, owner: Actor, read_study: str) -> None:
    left = services.config.work_dir / "push-killed"
    left.mkdir()
    (left / "0000.dcm").write_bytes(b"of a patient")
    node, stop = Node(), Event()
    stand(services, "signed", 2, owner)
    thread = Thread(target=results_of(services, node, PushWhen.SIGNED).run, args=(stop,))
    thread.start()
    until = time.monotonic() + 30
    while not node.taken and time.monotonic() < until:
        time.sleep(0.1)
    stop.set()
    thread.join()
    assert node.taken
    assert not list(services.config.work_dir.glob("push-*"))


def test_a_node_that_is_waited_for_does_not_keep_the_listener(
    services: Services, owner: Actor, read_study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pacs.listen._END_S", 0.2)
    stop, is_free = Event(), Event()
    stand(services, "signed", 2, owner)

    def wait(_: Sequence[Path]) -> None:
        stop.set()
        is_free.wait(60)

    config = config_of(push=PushWhen.SIGNED, push_to="archive", push_formats=(ExportFormat.SR,))
    listen(services, config, stop=stop, send=wait)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "pacs-results")
    assert thread.daemon
    is_free.set()
    thread.join(30)
    assert pushes(services)[0].state == "done"
