"""What the API says of studies: the shapes, and building them for a page of the worklist with a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import Job, StoredReading, Study, StudyReport
from service.store.words import JobState


class Named(BaseModel):
    """A user or a group by id and name."""

    id: str
    name: str


class ErrorOut(BaseModel):
    """Why there is no reading."""

    code: str
    message: str


class JobOut(BaseModel):
    """The latest job of a study; ``queue_position`` counts from 1 while it waits."""

    state: str
    stage: str
    fraction: float
    message: str
    queue_position: int | None
    attempt: int


class ReadingOut(BaseModel):
    """A reading of a study."""

    id: str
    writer: str
    created_at: datetime


class StudyOut(BaseModel):
    """A study as the worklist shows it."""

    id: str
    label: str
    status: str
    protocol: str | None
    study_key: str | None
    burden: float | None
    burden_category: str | None
    is_critical: bool
    alert: str | None
    is_sample: bool
    owner: Named
    group: Named | None
    created_at: datetime
    finished_at: datetime | None
    report_status: str | None
    prior_study_id: str | None
    error: ErrorOut | None
    job: JobOut | None
    readings: list[ReadingOut]
    levels_summary: str


def study_records(session: Session, studies: Sequence[Study]) -> list[StudyOut]:
    """Return what the API says of some studies, in their order."""
    ids = [study.id for study in studies]
    jobs, readings = latest_jobs(session, ids), _readings(session, ids)
    reports = select(StudyReport.study_id, StudyReport.status).where(StudyReport.study_id.in_(ids))
    statuses = dict(iter(session.execute(reports)))
    return [
        StudyOut(
            id=study.id,
            label=study.label,
            status=study.status,
            protocol=study.protocol,
            study_key=study.study_key,
            burden=study.burden,
            burden_category=study.burden_category,
            is_critical=study.is_critical,
            alert=study.alert,
            is_sample=study.is_sample,
            owner=Named(id=study.owner_id, name=study.owner.display_name or study.owner.name),
            group=None if study.group is None else Named(id=study.group.id, name=study.group.name),
            created_at=study.created_at,
            finished_at=study.finished_at,
            report_status=statuses.get(study.id),
            prior_study_id=study.prior_study_id,
            error=_error(study),
            job=jobs.get(study.id),
            readings=readings[study.id],
            levels_summary=study.levels_summary,
        )
        for study in studies
    ]


def latest_jobs(session: Session, study_ids: Sequence[str]) -> dict[str, JobOut]:
    """Return study -> its latest job."""
    columns = (Job.id, Job.study_id, Job.state, Job.stage, Job.fraction, Job.message, Job.cause, Job.attempt)
    rows = session.execute(select(*columns).where(Job.study_id.in_(study_ids)).order_by(Job.created_at, Job.id))
    latest = {row.study_id: row for row in rows}
    is_waiting = any(row.state == JobState.QUEUED.value for row in latest.values())
    places = _queue_places(session) if is_waiting else {}
    return {
        study_id: JobOut(
            state=row.state,
            stage=row.stage,
            fraction=row.fraction,
            message=row.cause or row.message,
            queue_position=places.get(row.id),
            attempt=row.attempt,
        )
        for study_id, row in latest.items()
    }


def _queue_places(session: Session) -> dict[str, int]:
    """Return waiting job -> its place in the queue, from 1."""
    waiting = select(Job.id).where(Job.state == JobState.QUEUED.value).order_by(Job.created_at, Job.id)
    return {job_id: place for place, job_id in enumerate(session.scalars(waiting), start=1)}


def _readings(session: Session, study_ids: Sequence[str]) -> defaultdict[str, list[ReadingOut]]:
    columns = (StoredReading.id, StoredReading.study_id, StoredReading.writer, StoredReading.created_at)
    query = select(*columns).where(StoredReading.study_id.in_(study_ids)).order_by(StoredReading.created_at)
    found: defaultdict[str, list[ReadingOut]] = defaultdict(list)
    for row in session.execute(query):
        found[row.study_id].append(ReadingOut(id=row.id, writer=row.writer, created_at=row.created_at))
    return found


def _error(study: Study) -> ErrorOut | None:
    if study.error_code is None:
        return None
    return ErrorOut(code=study.error_code, message=study.error_message or "")
