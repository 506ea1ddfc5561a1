"""What a user has read: studies the user owns, decided on or signed, newest change first.

Only studies that the user may still see are told: who left a group keeps no list of its studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from service.accounts.actor import Actor
from service.store.tables import Decision, ReportVersion, Study, StudyReport, User
from service.store.words import ReportStatus, Verdict
from service.studies.access import visible_to


@dataclass(frozen=True)
class HistoryFilter:
    """Which readings are asked for; None and empty ask for all.

    Attributes:
        since: Changed at or after.
        until: Changed before.
        text: Part of the label, the study key or the protocol, without regard to case.
        status: Of the report.
    """

    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    status: ReportStatus | None = None


@dataclass(frozen=True)
class PastReading:
    """One study of the list.

    Attributes:
        study: Its row.
        report: The report's row; None while there is none.
        signed_by: Display name of who signed.
        versions: How often the report was saved.
        verdicts: How many findings were accepted, edited and rejected.
        changed_at: Of the report, else when the study came.
    """

    study: Study
    report: StudyReport | None
    signed_by: str | None
    versions: int
    verdicts: dict[Verdict, int]
    changed_at: datetime


_CHANGED_AT = func.coalesce(StudyReport.updated_at, Study.created_at)


def past_readings(
    session: Session, actor: Actor, chosen: HistoryFilter, *, limit: int, offset: int
) -> tuple[list[PastReading], int]:
    """Return a page of the actor's readings and how many there are in all."""
    query = _query(actor, chosen)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.execute(query.order_by(_CHANGED_AT.desc(), Study.id).limit(limit).offset(offset)).all()
    ids = [study.id for study, _, _ in rows]
    versions, verdicts = _versions(session, ids), _verdicts(session, ids)
    return [
        PastReading(
            study=study,
            report=report,
            signed_by=None if signer is None else signer.display_name or signer.name,
            versions=versions.get(study.id, 0),
            verdicts={verdict: verdicts.get((study.id, verdict.value), 0) for verdict in Verdict},
            changed_at=study.created_at if report is None else report.updated_at,
        )
        for study, report, signer in rows
    ], total


def _query(actor: Actor, chosen: HistoryFilter) -> Select[Study, StudyReport | None, User | None]:
    signer = aliased(User)
    query = (
        select(Study, StudyReport, signer)
        .outerjoin(StudyReport, StudyReport.study_id == Study.id)
        .outerjoin(signer, signer.id == StudyReport.signed_by)
        .where(visible_to(actor), _worked_on(actor))
    )
    if chosen.since is not None:
        query = query.where(chosen.since <= _CHANGED_AT)
    if chosen.until is not None:
        query = query.where(chosen.until > _CHANGED_AT)
    if chosen.status is not None:
        query = query.where(StudyReport.status == chosen.status.value)
    for word in chosen.text.split():
        fields = (Study.label, Study.study_key, Study.protocol)
        query = query.where(or_(*(field.icontains(word, autoescape=True) for field in fields)))
    return query


def _worked_on(actor: Actor) -> ColumnElement[bool]:
    """Return the condition that the actor sent the study, signed its report, or had a hand in it."""
    wrote = select(ReportVersion.study_id).where(ReportVersion.author_id == actor.user_id)
    decided = select(Decision.study_id).where(Decision.user_id == actor.user_id)
    return or_(
        Study.owner_id == actor.user_id,
        StudyReport.signed_by == actor.user_id,
        Study.id.in_(wrote),
        Study.id.in_(decided),
    )


def _versions(session: Session, ids: Sequence[str]) -> dict[str, int]:
    counted = (
        select(ReportVersion.study_id, func.count())
        .where(ReportVersion.study_id.in_(ids))
        .group_by(ReportVersion.study_id)
    )
    return {study: count for study, count in session.execute(counted)}  # noqa: C416 (typed as pairs)


def _verdicts(session: Session, ids: Sequence[str]) -> dict[tuple[str, str], int]:
    counted = (
        select(Decision.study_id, Decision.verdict, func.count())
        .where(Decision.study_id.in_(ids))
        .group_by(Decision.study_id, Decision.verdict)
    )
    return {(study, verdict): count for study, verdict, count in session.execute(counted)}
