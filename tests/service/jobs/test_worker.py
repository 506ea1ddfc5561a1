"""The worker with a fake reader in a real reading process: every way a reading can end."""

import os
import threading
import time
from pathlib import Path
from threading import Event

import psutil
import pytest

from service.accounts.actor import Actor
from service.jobs.claim import alive_workers
from service.jobs.worker import WorkerOptions, run_worker
from service.services import Services
from service.store.tables import AuditEntry, ReportVersion, StudyFinding, StudyReport, WorkerBeat
from service.store.words import JobState
from service.studies.lifecycle import cancel_study, read_again, retry_study
from tests.service.jobs.fakes import READER, picture
from tests.service.jobs.steps import ONCE, accept, jobs_of, readings_of, study_of, with_config, work


def test_a_study_becomes_a_reading_with_a_draft_report(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture(critical=True))
    work(services)
    study = study_of(services, study_id)
    assert (study.status, study.protocol, study.burden_category) == ("ready", "lumbar", "marked")
    assert (study.is_critical, study.alert, study.error_code) == (True, "look first", None)
    assert study.levels_summary == (
        "T11-T12 moderate spinal canal stenosis; L4-L5 moderate spinal canal stenosis; "
        "L4-L5 moderate right neural foraminal narrowing; 19 more"
    )
    (reading,) = readings_of(services, study_id)
    assert {file.name for file in reading.files} == {"reading.json", "report.md", "overlay.png"}
    assert all(services.blobs.check(file.sha256) for file in reading.files)
    with services.database.read() as session:
        report = session.get_one(StudyReport, study_id)
        assert report.proposed == report.current == reading.document["report"]["sections"]
        assert session.query(ReportVersion).filter_by(study_id=study_id).one().version == 1
        graded = [grade for grade in reading.document["grades"] if grade["grade"] is not None]
        assert session.query(StudyFinding).filter_by(study_id=study_id).count() == len(graded)
        line = session.query(AuditEntry).filter_by(action="reading.finish").one()
        assert line.details["weights"] == reading.document["provenance"]["weights"]
        assert line.details["thresholds"] == {"spine_likeness": 0.02}
    assert not list(services.config.work_dir.iterdir())


def test_the_reading_process_is_kept_between_jobs(services: Services, radiologist: Actor) -> None:
    studies = [accept(services, radiologist) for _ in range(2)]
    work(services)
    told = [services.blobs.read(_file(services, study_id, "report.md")) for study_id in studies]
    assert told == [b"report of attempt 1", b"report of attempt 2"]


@pytest.mark.parametrize(
    ("do", "status", "code", "message"),
    [
        ("refuse", "refused", "no_spine_found", "no spine was found in the picture"),
        ("break", "failed", "study", "study.png: expected an image, found text"),
        ("fault", "failed", "internal", "a fault of ours while reading it"),
    ],
)
def test_errors_reach_the_user_in_our_words(
    services: Services,
    radiologist: Actor,
    capfd: pytest.CaptureFixture[str],
    do: str,
    status: str,
    code: str,
    message: str,
) -> None:
    study_id = accept(services, radiologist, picture(do, words="Doe^Jane 1970-01-01"))
    work(services)
    study = study_of(services, study_id)
    assert (study.status, study.error_code) == (status, code)
    assert (study.error_message or "").startswith(message)
    assert jobs_of(services, study_id)[0].state == JobState.FAILED.value
    logged = capfd.readouterr().err
    assert "Doe" not in logged
    assert ("ZeroDivisionError" in logged) is (do == "fault")


def test_a_reading_that_takes_too_long_is_ended(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture("hang"))
    work(with_config(services, job_timeout_s=0.8))
    study = study_of(services, study_id)
    assert (study.status, study.error_code) == ("failed", "time_limit")
    assert study.error_message == "reading took longer than 0.8 seconds and was ended"


def test_a_reading_that_takes_too_much_memory_is_ended(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture("eat", megabytes=200))
    work(with_config(services, job_memory_mb=150))
    assert study_of(services, study_id).error_code == "memory_limit"
    assert study_of(services, study_id).error_message == "reading took more than 150 MB of memory and was ended"


def test_a_process_that_ends_is_tried_again(services: Services, radiologist: Actor, tmp_path: Path) -> None:
    study_id = accept(services, radiologist, picture("die", tally=str(tmp_path / "tally"), times=2))
    work(services)
    assert study_of(services, study_id).status == "ready"
    assert jobs_of(services, study_id)[0].attempt == 3


def test_and_given_up_after_the_last_attempt(services: Services, radiologist: Actor, tmp_path: Path) -> None:
    dies = accept(services, radiologist, picture("die", tally=str(tmp_path / "tally"), times=99))
    lives = accept(services, radiologist)
    work(with_config(services, job_attempts=2))
    study = study_of(services, dies)
    assert (study.status, study.error_code) == ("failed", "process_ended")
    assert (study.error_message or "").startswith("the process that read it ended 2 times")
    assert study_of(services, lives).status == "ready"


def test_a_running_study_is_cancelled_and_tried_again(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture("read", seconds=1.5))
    stop = Event()
    worker = _start(services, stop)
    _until(lambda: study_of(services, study_id).status == "reading")
    _until(lambda: jobs_of(services, study_id)[0].stage == "imaging")
    cancel_study(services, radiologist, study_id)
    _until(lambda: study_of(services, study_id).status == "cancelled")
    retry_study(services, radiologist, study_id)
    _until(lambda: study_of(services, study_id).status == "ready")
    stop.set()
    worker.join()
    assert [job.state for job in jobs_of(services, study_id)] == ["cancelled", "done"]
    assert study_of(services, study_id).error_code is None


def test_a_stopped_worker_gives_the_job_back_and_leaves_no_process(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture("hang"))
    stop = Event()
    worker = _start(services, stop)
    _until(lambda: jobs_of(services, study_id)[0].stage == "imaging")
    with services.database.read() as session:
        assert alive_workers(session) == 1
        assert session.query(WorkerBeat).one().id.split("-")[-2] == str(os.getpid())
    stop.set()
    worker.join()
    (job,) = jobs_of(services, study_id)
    assert (job.state, job.attempt, study_of(services, study_id).status) == ("queued", 0, "queued")
    assert services.queue.ids() == {job.id}
    assert not [child for child in psutil.Process().children() if "service.jobs.child" in child.cmdline()]
    with services.database.read() as session:
        assert alive_workers(session) == 0


def test_a_further_model_adds_a_reading_and_leaves_the_report(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist)
    work(services)
    read_again(services, radiologist, study_id, {"writer": "composer"})
    assert study_of(services, study_id).status == "ready"
    work(services)
    first, second = readings_of(services, study_id)
    assert (first.writer, second.writer) == ("spine-tiny", "composer")
    with services.database.read() as session:
        assert session.get_one(StudyReport, study_id).reading_id == first.id


def test_a_missing_upload_is_our_fault_and_ends_nothing_else(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist, picture(lost=True))
    services.blobs.remove(study_of(services, study_id).upload_sha256)
    other = accept(services, radiologist)
    work(services)
    assert study_of(services, study_id).error_code == "upload_missing"
    assert study_of(services, other).status == "ready"


def test_the_prior_reading_goes_along(services: Services, radiologist: Actor) -> None:
    prior = accept(services, radiologist)
    work(services)
    study_id = accept(services, radiologist, prior_study_id=prior)
    work(services)
    assert study_of(services, study_id).prior_study_id == prior
    assert study_of(services, study_id).status == "ready"


def _start(services: Services, stop: Event) -> threading.Thread:
    options = WorkerOptions(reader=READER, sweep_s=0.2, wait_s=ONCE.wait_s)
    thread = threading.Thread(target=run_worker, args=(services,), kwargs={"stop": stop, "options": options})
    thread.start()
    return thread


def _until(condition, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.03)


def _file(services: Services, study_id: str, name: str) -> str:
    (reading,) = readings_of(services, study_id)
    return next(file.sha256 for file in reading.files if file.name == name)
