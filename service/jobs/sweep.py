"""Giving out again what was lost: jobs missing from the queue, and jobs whose worker is not heard of any more.

Run when a worker starts and every few seconds after; several may run at once.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from service import audit
from service.jobs.claim import waiting_again
from service.services import Services
from service.store.base import now
from service.store.tables import Job, Study, WorkerBeat
from service.store.words import JobState, StudyStatus

logger = logging.getLogger(__name__)

ENDED_CODE = "process_ended"
_FORGET_WORKERS_S = 3600.0


def ended_cause(times: int) -> str:
    """Return why a study is given up whose reading process ended each time."""
    return (
        f"the process that read it ended {times} times; the files may be too large for this machine or damaged. "
        "Ask the administrator, or try it again."
    )


def sweep(services: Services) -> None:
    """Give out again what was lost."""
    with services.database.read() as session:
        is_needed = session.scalar(_lost().limit(1)) is not None
    if is_needed:
        with services.database.begin() as session:
            for job in session.scalars(_lost().with_for_update(skip_locked=True)).all():
                _give_out_again(session, job, services.config.job_attempts)
    put_back(services)


def forget_workers(services: Services) -> None:
    """Remove workers that were not heard of for an hour."""
    old = now() - timedelta(seconds=_FORGET_WORKERS_S)
    with services.database.begin() as session:
        session.execute(delete(WorkerBeat).where(WorkerBeat.heard_at < old))


def put_back(services: Services) -> None:
    """Put waiting jobs into the queue that are not in it, oldest first."""
    with services.database.read() as session:
        waiting = session.scalars(
            select(Job.id).where(Job.state == JobState.QUEUED.value).order_by(Job.created_at, Job.id)
        ).all()
    if waiting:
        known = services.queue.ids()
        for job_id in waiting:
            if job_id not in known:
                services.queue.put(job_id)


def _lost() -> Select[Job]:
    return select(Job).where(Job.state == JobState.RUNNING.value, Job.lease_until < now())


def _give_out_again(session: Session, job: Job, attempts: int) -> None:
    study = session.get_one(Study, job.study_id)
    is_first = study.status == StudyStatus.READING.value
    if job.is_cancel_requested:
        _end(job, JobState.CANCELLED, "cancelled by the user")
        if is_first:
            study.status = StudyStatus.CANCELLED.value
        return
    if job.attempt >= attempts:
        fail_ended(session, job, study)
        return
    logger.warning("job %s: its worker is not heard of any more; given out again", job.id)
    for name, value in waiting_again().items():
        setattr(job, name, value)
    if is_first:
        study.status = StudyStatus.QUEUED.value


def fail_ended(session: Session, job: Job, study: Study) -> None:
    """Give up a job whose process ended too often."""
    cause = ended_cause(job.attempt)
    _end(job, JobState.FAILED, cause)
    if study.status in (StudyStatus.READING.value, StudyStatus.QUEUED.value):
        study.status, study.finished_at = StudyStatus.FAILED.value, now()
        study.error_code, study.error_message = ENDED_CODE, cause
    details = {"job": job.id, "attempt": job.attempt, "code": ENDED_CODE}
    audit.append(session, "system", "reading.fail", subject=f"study:{study.id}", details=details)


def _end(job: Job, state: JobState, cause: str) -> None:
    job.state, job.cause, job.finished_at, job.lease_until = state.value, cause, now(), None
