"""``GET /history``: the user's own past readings."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from service.api.dependencies import ActorDep, ServicesDep
from service.history import HistoryFilter, PastReading, past_readings
from service.store.words import ReportStatus, Verdict

router = APIRouter(tags=["history"])


class Signature(BaseModel):
    """Who signed, and when."""

    by: str
    at: datetime


class PastReadingOut(BaseModel):
    """One study of the list; ``id`` is the study's."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    label: str
    study_key: str | None
    protocol: str | None
    status: str
    is_sample: bool
    is_owner: bool
    report_status: str | None
    versions: int
    signed: Signature | None
    accepts: int
    edits: int
    rejects: int
    created_at: datetime
    changed_at: datetime


class History(BaseModel):
    """A page of past readings."""

    items: list[PastReadingOut]
    total: int


@router.get("/history")
def get_history(
    services: ServicesDep,
    actor: ActorDep,
    since: Annotated[date | None, Query(description="changed on this day (UTC) or later")] = None,
    until: Annotated[date | None, Query(description="changed on this day (UTC) or before")] = None,
    search: Annotated[str, Query(max_length=200)] = "",
    report: ReportStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> History:
    """Return the studies that the user sent or worked on, last changed first."""
    chosen = HistoryFilter(
        since=None if since is None else _midnight(since),
        until=None if until is None or until == date.max else _midnight(until + timedelta(days=1)),
        text=search,
        status=report,
    )
    with services.database.read() as session:
        rows, total = past_readings(session, actor, chosen, limit=limit, offset=offset)
        return History(items=[_out(row, actor.user_id) for row in rows], total=total)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _out(row: PastReading, user_id: str) -> PastReadingOut:
    study, report = row.study, row.report
    signed_at = None if report is None else report.signed_at
    return PastReadingOut(
        id=study.id,
        label=study.label,
        study_key=study.study_key,
        protocol=study.protocol,
        status=study.status,
        is_sample=study.is_sample,
        is_owner=study.owner_id == user_id,
        report_status=None if report is None else report.status,
        versions=row.versions,
        signed=None if signed_at is None else Signature(by=row.signed_by or "", at=signed_at),
        accepts=row.verdicts[Verdict.ACCEPT],
        edits=row.verdicts[Verdict.EDIT],
        rejects=row.verdicts[Verdict.REJECT],
        created_at=study.created_at,
        changed_at=row.changed_at,
    )
