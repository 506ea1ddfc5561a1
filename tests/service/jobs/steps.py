"""What tests of jobs do again and again: accept an upload, run a worker to the end, look at the rows."""

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from service.accounts.actor import Actor
from service.config import ServiceConfig
from service.jobs.worker import WorkerOptions, run_worker
from service.services import Services
from service.store.tables import Job, StoredReading, Study
from service.studies.accept import Incoming, accept_study
from tests.service.jobs.fakes import READER, picture

ONCE = WorkerOptions(reader=READER, sweep_s=0.2, wait_s=0.1, is_once=True)


def with_config(services: Services, **changes: Any) -> Services:
    """Return the same service with other settings."""
    return replace(services, config=replace(services.config, **changes))


def accept(services: Services, actor: Actor, content: bytes | None = None, **fields: Any) -> str:
    """Accept an upload as the route does; return the study's id."""
    blob = services.blobs.put(content or picture())
    return accept_study(services, actor, Incoming(blob=blob, suffix=".png", **fields))


def work(services: Services, options: WorkerOptions = ONCE) -> None:
    """Run a worker until nothing waits or runs."""
    run_worker(services, stop=Event(), options=options)


def study_of(services: Services, study_id: str) -> Study:
    with services.database.read() as session:
        return session.get_one(Study, study_id)


def jobs_of(services: Services, study_id: str) -> list[Job]:
    with services.database.read() as session:
        return list(session.query(Job).filter_by(study_id=study_id).order_by(Job.created_at))


def readings_of(services: Services, study_id: str) -> list[StoredReading]:
    with services.database.read() as session:
        found = session.query(StoredReading).filter_by(study_id=study_id).order_by(StoredReading.created_at)
        return [reading for reading in found if reading.files is not None]


def small_config(home: Path, **changes: Any) -> ServiceConfig:
    """Return settings for tests that kill: short leases, many attempts."""
    return ServiceConfig(home=home, **{"lease_s": 1.0, "job_attempts": 100, **changes})
