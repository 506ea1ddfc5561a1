"""Evaluations through the API: the suite in its own process, its errors, whose they are, and bad uploads."""

import io
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from imaging.limits import Limits
from runtime.errors import SpineScribeError, StudyError
from service.accounts.actor import Actor
from service.api.research import router
from service.research import evaluations, supervision
from service.research.evaluations import MAX_RUNNING
from service.services import Services
from service.store.base import now
from service.store.tables import AuditEntry, Evaluation
from service.store.words import JobState, Role
from tests.service.conftest import add_user

ADDRESS = "/api/v1/research/evaluations"
HEAD = "id,level,side,condition,grade\n"
GRADES = HEAD + "".join(
    f"s{number},L4-L5,,disc_degeneration,{'IV' if number % 2 else 'II'}\n" for number in range(8)
)
Send = Callable[..., dict[str, Any]]


@pytest.fixture
def client(client_of: Callable[..., TestClient], researcher: Actor) -> TestClient:
    return client_of([router], researcher)


@pytest.fixture
def send(client: TestClient) -> Send:
    """Return a function that sends two files and waits for the end."""

    def build(task: str, predictions: tuple[str, bytes], references: tuple[str, bytes]) -> dict[str, Any]:
        answer = client.post(
            ADDRESS, data={"task": task}, files={"predictions": predictions, "references": references}
        )
        assert answer.status_code == 202, answer.text
        for _ in range(600):
            told: dict[str, Any] = client.get(f"{ADDRESS}/{answer.json()['id']}").json()
            if told["state"] != JobState.RUNNING.value:
                return told
            time.sleep(0.1)
        raise AssertionError("the evaluation did not end within a minute")

    return build


def in_place(services: Services, monkeypatch: pytest.MonkeyPatch, act: Callable[..., dict[str, Path]]) -> None:
    """Let something else stand for the suite's process."""
    monkeypatch.setattr(evaluations, "evaluate_isolated", act)


def test_a_small_table_is_evaluated_end_to_end(services: Services, client: TestClient, send: Send) -> None:
    truth = GRADES.replace("s1,L4-L5,,disc_degeneration,IV", "s1,L4-L5,,disc_degeneration,V")
    told = send("grading", ("Miller.csv", GRADES.encode()), ("truth.csv", truth.encode()))
    assert (told["state"], told["cause"]) == ("done", None)
    assert told["metrics"]["accuracy"] == pytest.approx(7 / 8)
    assert set(told["metrics"]["intervals"]["accuracy"]) == {"low", "high", "patients"}
    names = {file["name"] for file in told["files"]}
    assert {"metrics.json", "per_case.csv", "report.md", "report.html", "model_card_section.md"} < names
    plot = client.get(f"{ADDRESS}/{told['id']}/files/plots/grading_confusion.png")
    assert plot.content.startswith(b"\x89PNG")
    assert (plot.headers["content-type"], plot.headers["x-content-type-options"]) == ("image/png", "nosniff")
    page = client.get(f"{ADDRESS}/{told['id']}/files/report.html").text
    assert "Miller" not in page
    assert client.get(f"{ADDRESS}/{told['id']}/files/../../../secret.key").status_code == 404
    assert client.get(f"{ADDRESS}/{told['id']}/files/secret.key").status_code == 404
    assert [item["id"] for item in client.get(ADDRESS).json()["items"]] == [told["id"]]
    assert list(services.config.work_dir.glob("evaluation-*")) == []
    with services.database.read() as session:
        noted = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
    assert [(entry.action, entry.details) for entry in noted] == [
        ("evaluation.start", {"task": "grading"}),
        ("evaluation.finish", {"state": "done"}),
    ]


def test_ids_that_do_not_match_are_told_in_the_words_of_the_suite(send: Send) -> None:
    told = send(
        "grading", ("a.csv", GRADES.encode()), ("b.csv", (GRADES + "s9,L4-L5,,disc_degeneration,I\n").encode())
    )
    assert told["state"] == "failed"
    assert "'s9'" in told["cause"]
    assert (told["files"], told["metrics"]) == ([], {})


def zipped(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_that_leads_out_of_its_folder_is_refused(send: Send, services: Services) -> None:
    bad = zipped(("../../../../evil.txt", b"L4-L5: disc bulge."))
    told = send("report", ("a.zip", bad), ("b.zip", zipped(("s1.txt", b"L4-L5: disc bulge."))))
    assert "leads out of it" in told["cause"]
    assert list(services.config.home.rglob("evil.txt")) == []


@pytest.mark.parametrize(
    ("task", "name", "content", "status"),
    [
        ("grading", "a.exe", b"x", 422),
        ("grading", "grades", b"x", 422),
        ("grading", "a.csv", b"", 422),
        ("surgery", "a.csv", b"x", 422),
    ],
)
def test_what_cannot_be_an_upload_is_refused_at_once(
    client: TestClient, services: Services, task: str, name: str, content: bytes, status: int
) -> None:
    answer = client.post(
        ADDRESS, data={"task": task}, files={"predictions": (name, content), "references": ("b.csv", b"id\n")}
    )
    assert answer.status_code == status
    assert list(services.config.work_dir.glob("evaluation-*")) == []
    with services.database.read() as session:
        assert session.query(Evaluation).filter_by(state=JobState.RUNNING.value).count() == 0


def test_a_file_larger_than_accepted_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "LIMITS", Limits(file_bytes=10))
    files = {"predictions": ("a.csv", b"x" * 11), "references": ("b.csv", b"x")}
    answer = client.post(ADDRESS, data={"task": "grading"}, files=files)
    assert answer.status_code == 413


def test_a_fault_of_ours_does_not_tell_its_words(
    services: Services, send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> dict[str, Path]:
        raise SpineScribeError("an unexpected error of ours while evaluating (KeyError)")

    in_place(services, monkeypatch, fail)
    told = send("grading", ("a.csv", b"id\n"), ("b.csv", b"id\n"))
    assert (told["state"], told["cause"]) == (
        "failed",
        "something went wrong on our side; the server's log says more",
    )


def test_enough_at_once_is_enough(
    services: Services, client: TestClient, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def wait(*_arguments: Any, **_options: Any) -> dict[str, Path]:
        go.wait(20)
        raise StudyError("ended")

    in_place(services, monkeypatch, wait)
    files = {"predictions": ("a.csv", b"id\n"), "references": ("b.csv", b"id\n")}
    answers = [client.post(ADDRESS, data={"task": "grading"}, files=files) for _ in range(MAX_RUNNING + 1)]
    go.set()
    assert [answer.status_code for answer in answers] == [202] * MAX_RUNNING + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_what_a_stopped_service_left_is_closed(services: Services, client: TestClient, researcher: Actor) -> None:
    with services.database.begin() as session:
        row = Evaluation(user_id=researcher.user_id, task="grading", at=now() - timedelta(hours=1))
        session.add(row)
    (told,) = client.get(ADDRESS).json()["items"]
    assert (told["state"], told["cause"]) == (
        "failed",
        "the service was stopped while this ran; upload the files again",
    )


def test_only_researchers_and_only_their_own(
    services: Services, researcher: Actor, radiologist: Actor, administrator: Actor,
    client_of: Callable[..., TestClient],
) -> None:  # fmt: skip
    with services.database.begin() as session:
        row = Evaluation(user_id=researcher.user_id, task="grading", state="done", files={"metrics.json": {}})
        session.add(row)
        session.flush()
        own = f"{ADDRESS}/{row.id}"
    colleague = add_user(services, "colleague", Role.RESEARCHER)
    for address in (own, f"{own}/files/metrics.json", ADDRESS):
        assert client_of([router], None).get(address).status_code == 401
        assert client_of([router], radiologist).get(address).status_code == 403
        assert client_of([router], administrator).get(address).status_code == 403
    assert client_of([router], colleague).get(own).status_code == 404
    assert client_of([router], colleague).get(f"{own}/files/metrics.json").status_code == 404
    assert client_of([router], colleague).get(ADDRESS).json() == {"items": []}
    for actor, status in ((None, 401), (radiologist, 403), (administrator, 403)):
        answer = client_of([router], actor).post(
            ADDRESS,
            data={"task": "grading"},
            files={"predictions": ("a.csv", b"x"), "references": ("b.csv", b"x")},
        )
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import time; time.sleep(60)", "takes longer"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("pass", "exit code 0"),
    ],
)
def test_a_process_that_hangs_dies_or_says_nothing_is_named(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = supervision.subprocess.Popen

    def instead(command: list[str], **options: Any) -> Any:
        return start([command[0], "-c", code], **options)

    monkeypatch.setattr(supervision.subprocess, "Popen", instead)
    monkeypatch.setattr(supervision, "START_SECONDS", 0.5)
    (tmp_path / "predictions.csv").write_text("id\n")
    with pytest.raises(StudyError, match=words):
        supervision.evaluate_isolated(
            "grading", tmp_path / "predictions.csv", tmp_path / "b.csv", cache=tmp_path, limits=Limits(seconds=0.5)
        )
