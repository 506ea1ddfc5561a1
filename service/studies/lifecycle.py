"""What a user may do to a study after it was accepted: rename, share, cancel, try again, read again, delete."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service import audit
from service.accounts.actor import Actor
from service.errors import ConflictError, ForbiddenError
from service.jobs.finish import CANCELLED_CAUSE
from service.services import Services
from service.store.base import now
from service.store.tables import Job, ReadingFile, ReportVersion, StoredReading, Study, StudyReport
from service.store.words import JobState, ReportStatus, StudyStatus
from service.studies.accept import add_job, default_label
from service.studies.access import open_study
from service.studies.upkeep import remove_unnamed

_SIGNED = (ReportStatus.SIGNED.value, ReportStatus.AMENDED.value)
_ENDED = (StudyStatus.FAILED.value, StudyStatus.REFUSED.value, StudyStatus.CANCELLED.value)


def change_study(services: Services, actor: Actor, study_id: str, changes: dict[str, Any]) -> None:
    """Rename or share a study.

    Args:
        services: The open service.
        actor: Who does it; sharing is the owner's.
        study_id: Study.
        changes: ``label`` and ``group_id``, where they are to change.

    Raises:
        NotFoundError: If the study is not the actor's to see.
        ForbiddenError: If it is not the actor's to share, or not with that group.
    """
    with services.database.begin() as session:
        study = open_study(session, actor, study_id)
        if "label" in changes:
            study.label = changes["label"] or default_label(study.id)
        if "group_id" in changes and changes["group_id"] != study.group_id:
            _require_owner(actor, study, "share")
            if changes["group_id"] is not None and changes["group_id"] not in actor.group_ids:
                raise ForbiddenError("group_id: expected one of your own groups")
            study.group_id = changes["group_id"]
        details = {"fields": sorted(changes), "group": study.group_id}
        audit.append(session, actor.name, "study.change", subject=f"study:{study_id}", details=details)


def cancel_study(services: Services, actor: Actor, study_id: str) -> None:
    """Cancel what waits or runs of a study; a reading under way is ended within a second or two.

    Raises:
        NotFoundError: If the study is not the actor's to see.
        ConflictError: If nothing of it waits or runs.
    """
    with services.database.begin() as session:
        study = open_study(session, actor, study_id)
        of_study = Job.study_id == study_id
        waiting = session.execute(
            update(Job)
            .where(of_study, Job.state == JobState.QUEUED.value)
            .values(state=JobState.CANCELLED.value, cause=CANCELLED_CAUSE, finished_at=now())
        )
        running = session.execute(
            update(Job)
            .where(of_study, Job.state == JobState.RUNNING.value)
            .values(is_cancel_requested=True, message="being cancelled")
        )
        if not waiting.rowcount and not running.rowcount:  # type: ignore[attr-defined]
            raise ConflictError("nothing of this study waits or is being read", code="not_running")
        session.refresh(study)
        if study.status == StudyStatus.QUEUED.value:
            study.status, study.finished_at = StudyStatus.CANCELLED.value, now()
            study.error_code, study.error_message = "cancelled", CANCELLED_CAUSE
        audit.append(session, actor.name, "study.cancel", subject=f"study:{study_id}")


def retry_study(services: Services, actor: Actor, study_id: str) -> None:
    """Put a study that failed, was refused or cancelled into the queue again, with the same options.

    Raises:
        NotFoundError: If the study is not the actor's to see.
        ConflictError: If it did not end so.
        BusyError: If the queue is full.
    """
    with services.database.begin() as session:
        study = open_study(session, actor, study_id)
        changed = session.execute(
            update(Study)
            .where(Study.id == study_id, Study.status.in_(_ENDED))
            .values(status=StudyStatus.QUEUED.value, finished_at=None, error_code=None, error_message=None)
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            raise ConflictError("only a study that failed, was refused or cancelled is tried again")
        job = add_job(session, services, study, dict(study.options))
        audit.append(session, actor.name, "study.retry", subject=f"study:{study_id}")
    services.queue.put(job.id)


def read_again(services: Services, actor: Actor, study_id: str, options: dict[str, Any]) -> None:
    """Have another model read a study that was read; its report stays as it is.

    Raises:
        NotFoundError: If the study is not the actor's to see.
        ConflictError: If it was not read yet, or is being read.
        BusyError: If the queue is full.
    """
    with services.database.begin() as session:
        study = open_study(session, actor, study_id)
        if study.status != StudyStatus.READY.value:
            raise ConflictError("only a study that was read can be read by a further model")
        if _is_busy(session, study_id):
            raise ConflictError("a further reading of this study waits or is under way")
        job = add_job(session, services, study, options)
        audit.append(session, actor.name, "study.read", subject=f"study:{study_id}", details=options)
    services.queue.put(job.id)


def delete_study(services: Services, actor: Actor, study_id: str) -> None:
    """Delete a study that was never signed, with everything of it; its files too unless others have equal ones.

    Raises:
        NotFoundError: If the study is not the actor's to see.
        ForbiddenError: If it is neither the actor's own nor the actor an administrator.
        ConflictError: If it was signed, or is being read.
    """
    with services.database.begin() as session:
        study = open_study(session, actor, study_id)
        _require_owner(actor, study, "delete")
        if _was_signed(session, study_id):
            raise ConflictError("a signed study is kept; it cannot be deleted", code="signed")
        if _is_running(session, study_id):
            raise ConflictError("the study is being read; cancel it first", code="running")
        readings = select(StoredReading.id).where(StoredReading.study_id == study_id)
        of_readings = select(ReadingFile.sha256).where(ReadingFile.reading_id.in_(readings))
        names = {study.upload_sha256, *session.scalars(of_readings)}
        _delete_rows(session, study_id)
        audit.append(session, actor.name, "study.delete", subject=f"study:{study_id}")
    remove_unnamed(services, names)


def _delete_rows(session: Session, study_id: str) -> None:
    """Delete all rows of a study, those that point to others first; the database cascades the rest."""
    session.execute(update(Study).where(Study.prior_study_id == study_id).values(prior_study_id=None))
    for table in (ReportVersion, StudyReport, StoredReading, Job):
        session.execute(delete(table).where(table.study_id == study_id))
    session.execute(delete(Study).where(Study.id == study_id))
    session.expire_all()


def _is_busy(session: Session, study_id: str) -> bool:
    states = (JobState.QUEUED.value, JobState.RUNNING.value)
    busy = select(Job.id).where(Job.study_id == study_id, Job.state.in_(states))
    return session.scalar(busy.limit(1)) is not None


def _is_running(session: Session, study_id: str) -> bool:
    running = select(Job.id).where(Job.study_id == study_id, Job.state == JobState.RUNNING.value)
    return session.scalar(running.limit(1)) is not None


def _was_signed(session: Session, study_id: str) -> bool:
    """Return whether the report is signed, or was before it was amended."""
    report = session.get(StudyReport, study_id)
    if report is not None and (report.signed_at is not None or report.status in _SIGNED):
        return True
    signed = select(ReportVersion.id).where(ReportVersion.study_id == study_id, ReportVersion.status.in_(_SIGNED))
    return session.scalar(signed.limit(1)) is not None


def _require_owner(actor: Actor, study: Study, what: str) -> None:
    if study.owner_id != actor.user_id and not actor.is_administrator:
        raise ForbiddenError(f"only the owner of a study may {what} it")
