"""The same promises on both databases, PostgreSQL a real server: migrations, chain, one claim of a job, JSON."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, or_, update
from sqlalchemy.exc import IntegrityError

from service import audit
from service.config import ServiceConfig
from service.services import Services
from service.store import Database
from service.store.base import Base, now
from service.store.tables import AuditEntry, Job, Study, User
from service.store.words import JobState, Role
from tests.service.conftest import add_study, add_user

WRITERS, LINES = 4, 10
AWKWARD: dict[str, Any] = {
    "unicode": "L4–L5 · Größe 漢字 \U0001f9b4",
    "quotes": "'; DROP TABLE users; -- \"",
    "numbers": [0.1, 1e-9, 123456789012345678, -0.0],
    "nested": {"null": None, "true": True, "empty": {}, "list": []},
    "order": {"b": 1, "a": 2},
}


def in_parallel(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in threads that start together; an error of one is raised here."""
    together, errors = threading.Barrier(count), []

    def run(index: int) -> None:
        together.wait()
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_migrations_go_up_down_and_up_again(both_services: Services) -> None:
    database = both_services.database
    database.downgrade("base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.upgrade()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.slow
def test_server_and_workers_may_make_the_tables_at_once(database_url: str, tmp_path: Path) -> None:
    config = ServiceConfig(home=tmp_path / "home", database_url=database_url)
    code = (
        "import sys; from pathlib import Path; from service.config import ServiceConfig as C; "
        "from service.store import Database; "
        "Database.open(C(home=Path(sys.argv[1]), database_url=sys.argv[2])).close()"
    )
    command = [sys.executable, "-c", code, str(config.home), database_url]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    database = Database(config.sqlalchemy_url)
    assert set(Base.metadata.tables) <= set(inspect(database.engine).get_table_names())
    database.close()


def test_four_writers_keep_the_chain(both_services: Services) -> None:
    def write(index: int) -> None:
        for line in range(LINES):
            with both_services.database.begin() as session:
                audit.append(session, f"writer-{index}", "test.write", details={"line": line, **AWKWARD})

    in_parallel(WRITERS, write)
    with both_services.database.read() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.seq).all()
    assert [entry.seq for entry in entries] == list(range(1, WRITERS * LINES + 1))
    assert all(later.previous == entry.hash for entry, later in itertools.pairwise(entries))
    assert all(audit.entry_hash(entry) == entry.hash for entry in entries)


def test_a_line_goes_with_the_change_it_tells_of(both_services: Services) -> None:
    def change_and_fail() -> None:
        with both_services.database.begin() as session:
            audit.append(session, "rad", "test.write")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        change_and_fail()
    with both_services.database.begin() as session:
        assert audit.append(session, "rad", "test.write").seq == 1


def claim(services: Services, job_id: str, worker: str) -> bool:
    """Claim a job as a worker does: one conditional UPDATE, whose row count tells who has it."""
    moment = now()
    free = or_(Job.state == JobState.QUEUED.value, Job.lease_until < moment)
    unfinished = Job.state.in_((JobState.QUEUED.value, JobState.RUNNING.value))
    with services.database.begin() as session:
        claimed = session.execute(
            update(Job)
            .where(Job.id == job_id, unfinished, free)
            .values(
                state=JobState.RUNNING.value,
                worker=worker,
                attempt=Job.attempt + 1,
                lease_until=moment + timedelta(seconds=30),
            )
        )
        return int(getattr(claimed, "rowcount", 0)) == 1


@pytest.fixture
def job_id(both_services: Services) -> str:
    actor = add_user(both_services, "rad")
    with both_services.database.begin() as session:
        study = Study(owner_id=actor.user_id, upload_sha256="0" * 64)
        session.add(study)
        session.flush()
        job = Job(study_id=study.id)
        session.add(job)
        session.flush()
        return job.id


def test_one_of_many_workers_gets_a_job(both_services: Services, job_id: str) -> None:
    got: list[str] = []

    def work(index: int) -> None:
        if claim(both_services, job_id, f"worker-{index}"):
            got.append(f"worker-{index}")

    in_parallel(8, work)
    assert len(got) == 1
    with both_services.database.read() as session:
        job = session.get_one(Job, job_id)
        assert (job.worker, job.attempt) == (got[0], 1)


def test_a_job_whose_lease_ran_out_is_given_out_once_more(both_services: Services, job_id: str) -> None:
    assert claim(both_services, job_id, "first")
    assert not claim(both_services, job_id, "second")
    with both_services.database.begin() as session:
        session.get_one(Job, job_id).lease_until = now() - timedelta(seconds=1)
    got: list[int] = []

    def work(index: int) -> None:
        if claim(both_services, job_id, f"next-{index}"):
            got.append(index)

    in_parallel(4, work)
    assert len(got) == 1
    with both_services.database.begin() as session:
        job = session.get_one(Job, job_id)
        assert job.attempt == 2
        job.state, job.lease_until = JobState.DONE.value, now() - timedelta(seconds=1)
    assert not claim(both_services, job_id, "late")


def test_a_reading_comes_back_as_it_was_written(both_services: Services, document: dict[str, Any]) -> None:
    actor = add_user(both_services, "rad")
    with both_services.database.begin() as session:
        study, reading = add_study(session, actor, {**document, "awkward": AWKWARD}, options=AWKWARD)
        study_id, reading_id = study.id, reading.id
    with both_services.database.read() as session:
        study = session.get_one(Study, study_id)
        stored = session.get_one(type(reading), reading_id).document
        assert study.options == AWKWARD
        assert stored == {**document, "awkward": AWKWARD}
        assert list(stored["awkward"]["order"]) == ["b", "a"]
        assert study.created_at.utcoffset() == timedelta(0)


def test_names_are_unique_and_owners_exist(both_services: Services) -> None:
    add_user(both_services, "rad", Role.RADIOLOGIST)
    with pytest.raises(IntegrityError):
        add_user(both_services, "rad", Role.RESEARCHER)
    with pytest.raises(IntegrityError), both_services.database.begin() as session:
        session.add(Study(owner_id="nobody", upload_sha256="0" * 64))
    with both_services.database.read() as session:
        assert session.query(User).count() == 1
