"""Taking a study or a further reading into the queue, which is bounded: beyond the bound there is 429 and a time.

Counting and adding are one transaction that waits for all others like it: a hundred uploads at once never pass the
bound. What was accepted is safe: its file was synced and its row committed before the user is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import audit
from service.accounts.actor import Actor
from service.errors import BusyError, ForbiddenError, InvalidError, ServiceError
from service.jobs.claim import alive_workers
from service.services import Services
from service.store import Blob
from service.store.base import new_id
from service.store.tables import Job, Study
from service.store.words import JobState, StudyStatus
from service.studies.access import open_study
from service.studies.upkeep import lock_files

_USUAL_S = 60.0
"""Seconds of a reading as long as none was made; about what a CPU takes for a lumbar study."""
_LATEST_JOBS = 20
_SHARE = 0.1
_LONGEST_S = 3600


@dataclass(frozen=True)
class Incoming:
    """An upload that is kept and ready to be accepted.

    Attributes:
        blob: Its kept file.
        suffix: Ending of its name, such as ``.zip``.
        options: For the reading: protocol, spacing, writer.
        label: What users see; empty for one made of the id.
        group_id: Group that it is shared with.
        prior_study_id: Earlier study of the same patient.
        is_sample: Whether it is one of ours.
    """

    blob: Blob
    suffix: str
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    group_id: str | None = None
    prior_study_id: str | None = None
    is_sample: bool = False


def accept_study(services: Services, actor: Actor, incoming: Incoming) -> str:
    """Add a study with its first job; return its id.

    Raises:
        BusyError: If the queue is full.
        ForbiddenError: If the group is not the actor's.
        NotFoundError: If the prior study is none, or not the actor's to see.
        InvalidError: If the prior study has no reading.
    """
    with services.database.begin() as session:
        study, job = add_study(session, services, actor, incoming)
    services.queue.put(job.id)
    return study.id


def add_study(session: Session, services: Services, actor: Actor, incoming: Incoming) -> tuple[Study, Job]:
    """Add a study with its first job; the caller puts the job into the queue after the transaction.

    Raises:
        As ``accept_study``.
    """
    _require_group(actor, incoming.group_id)
    if incoming.prior_study_id is not None:
        require_prior(session, actor, incoming.prior_study_id)
    lock_files(session)
    if not services.blobs.path(incoming.blob.sha256).is_file():
        raise ServiceError("the upload was lost on its way; send it again", code="upload_lost")
    study_id = new_id()
    study = Study(
        id=study_id,
        owner_id=actor.user_id,
        group_id=incoming.group_id,
        label=incoming.label or default_label(study_id),
        upload_sha256=incoming.blob.sha256,
        upload_suffix=incoming.suffix,
        upload_bytes=incoming.blob.bytes,
        is_sample=incoming.is_sample,
        options=incoming.options,
        prior_study_id=incoming.prior_study_id,
    )
    session.add(study)
    session.flush()
    job = add_job(session, services, study, incoming.options)
    details = {"bytes": incoming.blob.bytes, "sha256": incoming.blob.sha256, **incoming.options}
    audit.append(session, actor.name, "study.upload", subject=f"study:{study_id}", details=details)
    return study, job


def add_job(session: Session, services: Services, study: Study, options: dict[str, Any]) -> Job:
    """Add a waiting job; the caller puts it into the queue after the transaction.

    Raises:
        BusyError: If the queue is full.
    """
    lock_files(session)  # on PostgreSQL also what makes counting and adding one step
    refuse_if_full(session, services)
    job = Job(study_id=study.id, options=options)
    session.add(job)
    session.flush()
    return job


def refuse_if_full(session: Session, services: Services) -> None:
    """Refuse when as many jobs wait as may.

    Raises:
        BusyError: With the time after which to try again.
    """
    waiting = count_waiting(session)
    if waiting >= services.config.max_queued:
        raise BusyError(
            f"{waiting} studies wait already; try again later",
            retry_after_s=retry_after_s(session, waiting),
            code="queue_full",
        )


def count_waiting(session: Session) -> int:
    """Return how many jobs wait."""
    return session.scalar(select(func.count()).where(Job.state == JobState.QUEUED.value)) or 0


def retry_after_s(session: Session, waiting: int) -> int:
    """Return the seconds in which a tenth of those that wait, and at least one, is read by the workers."""
    workers = max(1, alive_workers(session))
    readings = max(1.0, _SHARE * waiting)
    return min(_LONGEST_S, max(1, math.ceil(mean_reading_s(session) * readings / workers)))


def mean_reading_s(session: Session) -> float:
    """Return the mean seconds of the latest readings; a usual value before there are any."""
    latest = (
        select(Job.started_at, Job.finished_at)
        .where(Job.state == JobState.DONE.value, Job.started_at.is_not(None), Job.finished_at.is_not(None))
        .order_by(Job.finished_at.desc())
        .limit(_LATEST_JOBS)
    )
    seconds = [(end - start).total_seconds() for start, end in session.execute(latest) if start and end]
    return sum(seconds) / len(seconds) if seconds else _USUAL_S


def default_label(study_id: str) -> str:
    """Return the label of a study that was given none."""
    return f"Study {study_id[:6]}"


def require_prior(session: Session, actor: Actor, study_id: str) -> None:
    """Let only a study with a reading, that the actor may see, be compared with.

    Raises:
        NotFoundError: If it is not the actor's to see.
        InvalidError: If it has no reading.
    """
    if open_study(session, actor, study_id).status != StudyStatus.READY.value:
        raise InvalidError("prior_study_id: expected a study that was read")


def _require_group(actor: Actor, group_id: str | None) -> None:
    if group_id is not None and group_id not in actor.group_ids:
        raise ForbiddenError("group_id: expected one of your own groups")
