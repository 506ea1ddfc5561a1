"""kill -9 of worker and server at every point: each accepted study ends ready, once, with one reading."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from service.audit.log import entry_hash
from service.services import Services
from service.store.tables import AuditEntry, Job, ReadingFile, ReportVersion, StoredReading, Study, StudyReport
from service.studies.upkeep import clean_up
from tests.service.conftest import add_user
from tests.service.jobs.fakes import picture
from tests.service.jobs.killable import POINTS, accept_until_killed, kill, run_until_killed, start
from tests.service.jobs.steps import accept, jobs_of, small_config, study_of, work

RANDOM_KILLS = 5


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Services]:
    """Return a service whose leases are short."""
    opened = Services.open(small_config(tmp_path / "home"))
    yield opened
    opened.close()


def test_a_worker_killed_at_every_point_loses_and_doubles_nothing(impatient: Services, tmp_path: Path) -> None:
    actor = add_user(impatient, "rad")
    studies = [accept(impatient, actor, picture("read", number=number)) for number in range(len(POINTS))]
    for number, point in enumerate(POINTS):
        marker = tmp_path / f"marker-{number}"
        process = start(run_until_killed, impatient.config, point, marker)
        _wait_for(marker)
        kill(process)
        _check_nothing_half_done(impatient)
    work(impatient)
    _check_all_ready_once(impatient, studies)


def test_a_worker_killed_at_random_loses_and_doubles_nothing(impatient: Services, tmp_path: Path) -> None:
    actor = add_user(impatient, "rad")
    chance = random.Random(8)
    studies = [accept(impatient, actor, picture("read", seconds=0.2, number=number)) for number in range(6)]
    for _ in range(RANDOM_KILLS):
        process = start(run_until_killed, impatient.config, "", tmp_path / "none")
        time.sleep(chance.uniform(0.2, 1.3))
        kill(process)
        _check_nothing_half_done(impatient)
    work(impatient)
    _check_all_ready_once(impatient, studies)


def test_a_server_killed_before_the_commit_accepted_nothing(impatient: Services, tmp_path: Path) -> None:
    actor, marker = add_user(impatient, "rad"), tmp_path / "marker"
    process = start(accept_until_killed, impatient.config, actor, picture(), "before commit", marker)
    _wait_for(marker)
    kill(process)
    with impatient.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Study)) == 0
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
    assert len(list(impatient.blobs.names())) == 1
    clean_up(impatient, left_alone_s=-1)
    assert not list(impatient.blobs.names())


def test_a_server_killed_after_the_commit_has_it_read(impatient: Services, tmp_path: Path) -> None:
    actor, marker = add_user(impatient, "rad"), tmp_path / "marker"
    process = start(accept_until_killed, impatient.config, actor, picture(), "after commit", marker)
    _wait_for(marker)
    kill(process)
    assert impatient.queue.ids() == set()
    with impatient.database.read() as session:
        studies = list(session.scalars(select(Study.id)))
    assert len(studies) == 1
    work(impatient)
    _check_all_ready_once(impatient, studies)


def test_a_lost_queue_is_made_anew_from_the_table(impatient: Services) -> None:
    actor = add_user(impatient, "rad")
    studies = [accept(impatient, actor) for _ in range(3)]
    while impatient.queue.take() is not None:
        continue
    work(impatient)
    _check_all_ready_once(impatient, studies)


def test_a_worker_that_slept_past_its_lease_writes_nothing(impatient: Services) -> None:
    from service.jobs.claim import Order, beat, claim
    from service.jobs.finish import give_back
    from service.jobs.sweep import sweep

    study_id = accept(impatient, add_user(impatient, "rad"))
    (job,) = jobs_of(impatient, study_id)
    sleeper = claim(impatient, job.id, "sleeper")
    assert sleeper is not None
    assert claim(impatient, job.id, "other") is None
    time.sleep(impatient.config.lease_s + 0.1)
    sweep(impatient)
    assert study_of(impatient, study_id).status == "queued"
    other = claim(impatient, job.id, "other")
    assert other is not None
    assert (beat(impatient, sleeper), beat(impatient, other)) == (Order.LET_GO, Order.GO_ON)
    give_back(impatient, sleeper)
    assert jobs_of(impatient, study_id)[0].worker == "other"


def _check_nothing_half_done(services: Services) -> None:
    """A reading is there with its files, its report and version, and the study is ready: all or none of it."""
    with services.database.read() as session:
        read = set(session.scalars(select(StoredReading.study_id)))
        assert read == set(session.scalars(select(StudyReport.study_id)))
        assert read == set(session.scalars(select(ReportVersion.study_id)))
        assert read == set(session.scalars(select(Study.id).where(Study.status == "ready")))
        assert read == set(session.scalars(select(Job.study_id).where(Job.state == "done")))


def _check_all_ready_once(services: Services, studies: list[str]) -> None:
    _check_nothing_half_done(services)
    with services.database.read() as session:
        assert sorted(session.scalars(select(StoredReading.study_id))) == sorted(studies)
        assert session.scalar(select(func.count()).select_from(ReportVersion)) == len(studies)
        files = session.execute(select(ReadingFile.reading_id, ReadingFile.sha256)).all()
        lines = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
    assert len(files) == 3 * len(studies)
    assert all(services.blobs.check(file.sha256) for file in files)
    assert sum(line.action == "reading.finish" for line in lines) == len(studies)
    assert all(line.hash == entry_hash(line) for line in lines)
    clean_up(services)
    assert not list(services.config.work_dir.iterdir())


def _wait_for(marker: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not marker.exists():
        assert time.monotonic() < end, "the process did not come to the point in time"
        time.sleep(0.02)
