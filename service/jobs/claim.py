"""Giving a job to one worker for a while (a lease), prolonging it, and giving it back.

Each step is one conditional UPDATE: of two workers one succeeds. Who holds a claim is named by worker and attempt;
one whose lease ran out and was given to another finds that it holds nothing any more and stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from runtime.progress import Progress
from service.services import Services
from service.store.base import now
from service.store.tables import Job, Study, WorkerBeat
from service.store.words import JobState, StudyStatus

_MESSAGE_CHARS = 300


@dataclass(frozen=True)
class Claim:
    """A job in the hands of a worker.

    Attributes:
        job_id: Job.
        study_id: Its study.
        worker: Who has it.
        attempt: Which attempt this is, from 1.
        options: Of the job.
        upload_sha256: The kept file to read.
        upload_suffix: Ending of its name, such as ``.zip``.
        prior_study_id: Earlier study to compare with, or None.
    """

    job_id: str
    study_id: str
    worker: str
    attempt: int
    options: dict[str, Any]
    upload_sha256: str
    upload_suffix: str
    prior_study_id: str | None


class Order(Enum):
    """What a worker is to do with the job it has."""

    GO_ON = auto()
    CANCEL = auto()
    LET_GO = auto()


def claim(services: Services, job_id: str, worker: str) -> Claim | None:
    """Take a waiting job, or return None when it is not waiting (any more)."""
    with services.database.begin() as session:
        moment = now()
        taken = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == JobState.QUEUED.value)
            .values(
                state=JobState.RUNNING.value,
                worker=worker,
                attempt=Job.attempt + 1,
                lease_until=moment + timedelta(seconds=services.config.lease_s),
                started_at=moment,
                stage="start",
                fraction=0.0,
                message="starting",
            )
        )
        if not _is_one(taken):
            return None
        job = session.get_one(Job, job_id)
        if job.study.status == StudyStatus.QUEUED.value:
            job.study.status = StudyStatus.READING.value
        return _claim_of(job, worker)


def beat(services: Services, held: Claim, progress: Progress | None = None) -> Order:
    """Prolong the lease and note how far the reading is.

    Returns:
        Whether to go on; CANCEL when somebody asked for it, LET_GO when the job is somebody else's now.
    """
    values: dict[str, Any] = {"lease_until": now() + timedelta(seconds=services.config.lease_s)}
    if progress is not None:
        values |= {
            "stage": progress.stage[:40],
            "fraction": progress.fraction,
            "message": progress.message[:_MESSAGE_CHARS],
        }
    with services.database.begin() as session:
        if not _is_one(session.execute(update(Job).where(is_held(held)).values(**values))):
            return Order.LET_GO
        job = session.get_one(Job, held.job_id)
        return Order.CANCEL if job.is_cancel_requested else Order.GO_ON


def release(session: Session, held: Claim, *, counts: bool) -> bool:
    """Put a job back among the waiting ones.

    Args:
        session: An open writing transaction.
        held: The claim.
        counts: Whether the attempt counts; not when the worker was asked to stop.

    Returns:
        False when the job is somebody else's.
    """
    attempt = held.attempt if counts else held.attempt - 1
    changed = session.execute(update(Job).where(is_held(held)).values(attempt=attempt, **waiting_again()))
    if not _is_one(changed):
        return False
    reading = and_(Study.id == held.study_id, Study.status == StudyStatus.READING.value)
    session.execute(update(Study).where(reading).values(status=StudyStatus.QUEUED.value))
    return True


def settle(session: Session, held: Claim, state: JobState, *, cause: str | None = None) -> bool:
    """End a job; False when it is somebody else's (then nothing may be written of it)."""
    values: dict[str, Any] = {"state": state.value, "finished_at": now(), "lease_until": None, "cause": cause}
    if state is JobState.DONE:
        values |= {"stage": "done", "fraction": 1.0}
    return _is_one(session.execute(update(Job).where(is_held(held)).values(**values)))


def is_held(held: Claim) -> ColumnElement[bool]:
    """Return the condition that a claim still holds."""
    return and_(
        Job.id == held.job_id,
        Job.state == JobState.RUNNING.value,
        Job.worker == held.worker,
        Job.attempt == held.attempt,
    )


def waiting_again() -> dict[str, Any]:
    """Return the columns of a job that waits (again)."""
    return {
        "state": JobState.QUEUED.value,
        "worker": None,
        "lease_until": None,
        "started_at": None,
        "stage": "queue",
        "fraction": 0.0,
        "message": "",
    }


def show_alive(services: Services, worker: str, job_id: str | None) -> None:
    """Note that a worker is there, for the health check and the administrator."""
    with services.database.begin() as session:
        row = session.get(WorkerBeat, worker)
        if row is None:
            session.add(WorkerBeat(id=worker, job_id=job_id))
        else:
            row.heard_at, row.job_id = now(), job_id


def say_goodbye(services: Services, worker: str) -> None:
    """Remove a worker that ends in order."""
    with services.database.begin() as session:
        row = session.get(WorkerBeat, worker)
        if row is not None:
            session.delete(row)


def alive_workers(session: Session, *, within_s: float = 15.0) -> int:
    """Return how many workers were heard of lately."""
    since = now() - timedelta(seconds=within_s)
    return session.scalar(select(func.count()).where(WorkerBeat.heard_at >= since)) or 0


def _claim_of(job: Job, worker: str) -> Claim:
    return Claim(
        job_id=job.id,
        study_id=job.study_id,
        worker=worker,
        attempt=job.attempt,
        options=dict(job.options),
        upload_sha256=job.study.upload_sha256,
        upload_suffix=job.study.upload_suffix,
        prior_study_id=job.study.prior_study_id,
    )


def _is_one(result: Any) -> bool:
    return bool(result.rowcount == 1)
