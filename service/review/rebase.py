"""Another reading of the study as the ground of its report, as long as nobody has worked on the report.

A study is read again with a confirmed level, or by another writer; whoever reports then chooses which reading the
report stands on. The report that stood before is kept as a version.
"""

from __future__ import annotations

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.orm import Session

from grading.triage import triage_alert
from reporting.restored import restore_findings
from service.accounts.actor import Actor
from service.audit import append
from service.errors import ConflictError, NotFoundError, StaleError
from service.jobs.summary import finding_rows, levels_summary
from service.review.case import Case, load_case
from service.review.change import content_hash, content_of, open_case
from service.review.provenance import provenance_of
from service.services import Services
from service.store.base import now
from service.store.tables import ReportVersion, StoredReading, Study, StudyFinding, StudyReport
from service.store.words import ReportStatus
from service.studies.access import open_reading, require_radiologist


def base_upon(services: Services, actor: Actor, study_id: str, version: int, reading_id: str) -> Case:
    """Base the report of a study upon another reading of it and return the report as it then stands.

    Args:
        services: The open services.
        actor: Who chooses.
        study_id: Study.
        version: The version that the actor saw.
        reading_id: Reading of the same study.

    Raises:
        NotFoundError: If there is no such report or reading, or the actor may not see it.
        ForbiddenError: If the actor is no radiologist.
        StaleError: If another version stands.
        ConflictError: If somebody has edited, decided, acknowledged or reviewed.
    """
    case = open_case(services, actor, study_id)
    require_radiologist(actor, "choose the reading of a report")
    if case.version != version:
        raise StaleError(case.version)
    if not _is_untouched(case):
        raise ConflictError("the report was worked on already, so it stays with its reading; withdraw that first")
    with services.database.begin() as session:
        reading = open_reading(session, actor, reading_id)
        if reading.study_id != study_id:
            raise NotFoundError("the study has no such reading")
        if reading.id != case.reading_id:
            _write(session, actor, case, reading)
    return open_case(services, actor, study_id)


def _is_untouched(case: Case) -> bool:
    is_draft = case.status is ReportStatus.DRAFT
    return is_draft and not case.decisions and not case.acknowledged and case.current == case.proposed


def _write(session: Session, actor: Actor, before: Case, reading: StoredReading) -> None:
    sections, at = reading.document["report"]["sections"], now()
    done = session.execute(
        update(StudyReport)
        .where(StudyReport.study_id == before.study_id, StudyReport.version == before.version)
        .values(
            reading_id=reading.id,
            proposed=sections,
            current=sections,
            version=before.version + 1,
            updated_at=at,
            updated_by=actor.user_id,
        )
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise StaleError(before.version + 1)
    _summarise(session, before.study_id, reading)
    session.expire_all()
    after = load_case(session, actor, before.study_id)
    content = content_of(after)
    what = f"based on the reading by {reading.writer or 'the default writer'}"
    session.add(
        ReportVersion(
            study_id=before.study_id,
            version=after.version,
            status=after.status.value,
            content=content,
            what=what,
            author_id=actor.user_id,
            at=at,
        )
    )
    details = {"version": after.version, "reading": reading.id, "before": before.reading_id}
    append(
        session,
        actor.name,
        "report.rebase",
        subject=f"study:{before.study_id}",
        details={**details, "content_sha256": content_hash(content), **provenance_of(after)},
    )


def _summarise(session: Session, study_id: str, reading: StoredReading) -> None:
    """Let the worklist tell what the new reading found; an alert that is not of a finding stays."""
    document = reading.document
    study = session.get_one(Study, study_id)
    urgent = triage_alert(restore_findings(document).grades)
    study.burden, study.burden_category = document["burden"]["score"], document["burden"]["category"]
    study.levels_summary = levels_summary(document)
    if study.is_critical or urgent is not None:
        study.is_critical, study.alert = urgent is not None, urgent
    session.execute(delete(StudyFinding).where(StudyFinding.study_id == study_id))
    session.add_all(finding_rows(study_id, document))
    session.flush()
