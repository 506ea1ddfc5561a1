"""Queue, claims, the bound and deletion on SQLite and on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from service.errors import BusyError
from service.jobs.claim import claim
from service.jobs.queue import JobQueue, QueueError
from service.jobs.sweep import sweep
from service.services import Services
from service.store.base import now
from service.store.tables import Job, Study
from service.studies.lifecycle import cancel_study, delete_study, retry_study
from tests.service.conftest import add_user
from tests.service.jobs.fakes import picture
from tests.service.jobs.steps import accept, jobs_of, study_of, with_config, work


def test_of_many_workers_one_gets_a_job(both_services: Services) -> None:
    study_id = accept(both_services, add_user(both_services, "rad"))
    (job,) = jobs_of(both_services, study_id)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda number: claim(both_services, job.id, f"w{number}"), range(8)))
    assert sum(held is not None for held in claims) == 1
    assert (study_of(both_services, study_id).status, jobs_of(both_services, study_id)[0].attempt) == (
        "reading",
        1,
    )


def test_the_bound_holds_when_all_come_at_once(both_services: Services) -> None:
    actor = add_user(both_services, "rad")
    small = with_config(both_services, max_queued=5)

    def try_one(number: int) -> bool:
        try:
            accept(small, actor, picture(number=number))
        except BusyError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(try_one, range(30))) == 5
    small.queue.close()
    with both_services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Study)) == 5


def test_a_study_goes_its_way(both_services: Services) -> None:
    actor = add_user(both_services, "rad")
    studies = [accept(both_services, actor, picture(number=number)) for number in range(2)]
    cancel_study(both_services, actor, studies[1])
    work(both_services)
    assert [study_of(both_services, study_id).status for study_id in studies] == ["ready", "cancelled"]
    retry_study(both_services, actor, studies[1])
    work(both_services)
    assert study_of(both_services, studies[1]).status == "ready"
    for study_id in studies:
        delete_study(both_services, actor, study_id)
    assert not list(both_services.blobs.names())


def test_a_job_whose_lease_ran_out_is_given_out_again(both_services: Services) -> None:
    study_id = accept(both_services, add_user(both_services, "rad"))
    (job,) = jobs_of(both_services, study_id)
    assert both_services.queue.take() == job.id
    assert claim(both_services, job.id, "lost") is not None
    with both_services.database.begin() as session:
        session.execute(update(Job).values(lease_until=now()))
    sweep(both_services)
    assert both_services.queue.take() == job.id
    assert both_services.queue.take(0.05) is None
    assert jobs_of(both_services, study_id)[0].state == "queued"


def test_a_queue_that_is_away_stops_no_upload(
    both_services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def __getattr__(self, name: str) -> object:
            raise OSError("connect to 10.0.0.1 as spinescribe")

    queue = JobQueue(Away())
    with monkeypatch.context() as patch:
        patch.setitem(both_services.__dict__, "queue", queue)
        study_id = accept(both_services, add_user(both_services, "rad"))
        with pytest.raises(QueueError, match=r"cannot be used at the moment \(OSError\)"):
            queue.take()
    assert "10.0.0.1" not in caplog.text
    work(both_services)
    assert study_of(both_services, study_id).status == "ready"
