"""Results go back when they are due, to a node that may be down, once for each state; nothing is lost."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from sqlalchemy import update

from reporting.export.formats import ExportFormat
from runtime.errors import SpineScribeError
from service.accounts.actor import Actor
from service.export.request import Format
from service.pacs import results as results_module
from service.pacs.listener_config import ListenerConfig, PushWhen
from service.pacs.part10 import IMAGES
from service.pacs.results import SUPERSEDED, Results
from service.review.case import Case, load_case
from service.services import Services
from service.store.base import now
from service.store.tables import PacsDelivery, StudyReport
from tests.pacs.arriving import config_of, lines, pushes, send
from tests.pacs.ports import LOOPBACK
from tests.pacs.slices import IDENTITY, SmallStudy, write_study
from tests.service.conftest import add_study, add_user

pytestmark = pytest.mark.pacs


@pytest.fixture
def owner(services: Services) -> Actor:
    return add_user(services, "rad")


@pytest.fixture
def small(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "results")


@pytest.fixture
def read_study(
    services: Services,
    owner: Actor,
    document: dict[str, Any],
    small: SmallStudy,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Return a study that a node sent and that was read; what is exported of it is one of its slices."""
    with services.database.begin() as session:
        study, _ = add_study(session, owner, document)
        delivery = PacsDelivery(dicom_study="0" * 64, number=1, study_id=study.id, sender="MR1", instances={})
        session.add(delivery)

    def gather(opened: Services, actor: Actor, study_id: str, *kinds: Format) -> tuple[Case, None]:
        with opened.database.read() as session:
            return load_case(session, actor, study_id), None

    content = small.files[0].read_bytes()
    monkeypatch.setattr(results_module, "gather", gather)
    monkeypatch.setattr(results_module, "isolated_files", lambda _request, _folder: {"slice.dcm": content})
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
    ((sent,),) = node.taken
    assert sent.SOPInstanceUID in small.sop_instance_uids
    (line,) = lines(services, "report.push")
    assert line.subject == f"study:{read_study}"
    assert (line.details["node"], line.details["version"], line.details["files"]) == ("archive", 5, 1)
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


@pytest.fixture
def archive() -> Iterator[tuple[int, list[int], list[str]]]:
    """Return port, answers to give before success, and what was taken, of a real storage SCP."""
    answers: list[int] = []
    taken: list[str] = []

    def store(event: evt.Event) -> int:
        if answers:
            return answers.pop(0)
        taken.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    entity = AE(ae_title="ARCHIVE")
    for uid in IMAGES:
        entity.add_supported_context(uid)
    server = entity.start_server((LOOPBACK, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    yield server.server_address[1], answers, taken
    entity.shutdown()


def test_over_the_wire_to_a_node_that_refuses_twice(
    services: Services, owner: Actor, read_study: str, archive: tuple[int, list[int], list[str]]
) -> None:
    port, answers, taken = archive
    answers += [0xA700, 0xA700]
    results = results_of(services, Node(), PushWhen.SIGNED)
    results.send = lambda files: _send_all(port, files)
    stand(services, "signed", 2, owner)
    for _ in range(4):
        results.step()
    assert (len(taken), pushes(services)[0].attempt, pushes(services)[0].state) == (1, 3, "done")


def _send_all(port: int, files: Sequence[Path]) -> None:
    if any(send(port, *files, called="ARCHIVE")):
        raise SpineScribeError("out of resources")
