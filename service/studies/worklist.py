"""The worklist: which studies a user sees, filtered and ordered.

Filters by level, condition and grade look at one and the same finding of the machine's first reading: with a grade
named, findings of that grade; without, positive findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from service.accounts.actor import Actor
from service.store.tables import Group, Study, StudyFinding, StudyReport, User
from service.store.words import ReportStatus, StudyStatus
from service.studies.access import visible_to
from service.studies.records import StudyOut, study_records


class Order(StrEnum):
    """Orders of the worklist.

    ``URGENCY``: what still waits for a signature first; of that critical studies, then by burden, then by waiting
    time.
    """

    URGENCY = "urgency"
    NEWEST = "newest"
    OLDEST = "oldest"
    BURDEN = "burden"


@dataclass(frozen=True)
class Wanted:
    """What of the worklist is asked for; None and empty ask for all.

    Attributes:
        order: Order.
        status: Of the study.
        protocol: Of the study.
        level: Of a finding, such as ``L4-L5``.
        condition: Of the same finding, such as ``disc_herniation``.
        grade: Of the same finding, such as ``severe``.
        report: Status of the report.
        search: Part of the label, or the start of the id or the study key.
        is_mine: Only studies of the actor's own.
        limit: Longest page.
        offset: Studies left out before it.
    """

    order: Order = Order.URGENCY
    status: StudyStatus | None = None
    protocol: str | None = None
    level: str | None = None
    condition: str | None = None
    grade: str | None = None
    report: ReportStatus | None = None
    search: str = ""
    is_mine: bool = False
    limit: int = 50
    offset: int = 0


def list_studies(session: Session, actor: Actor, wanted: Wanted) -> tuple[list[StudyOut], int]:
    """Return a page of the worklist and how many studies there are on all pages."""
    conditions = _conditions(actor, wanted)
    joined = Study.id == StudyReport.study_id
    query = select(Study).outerjoin(StudyReport, joined).where(*conditions)
    total = session.scalar(
        select(func.count()).select_from(Study).outerjoin(StudyReport, joined).where(*conditions)
    )
    page = _ordered(query, wanted.order).limit(wanted.limit).offset(wanted.offset)
    owner, group = joinedload(Study.owner, innerjoin=True), joinedload(Study.group)
    lean = owner.load_only(User.name, User.display_name), group.load_only(Group.name)
    studies = session.scalars(page.options(*lean)).all()
    return study_records(session, studies), total or 0


def _conditions(actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [visible_to(actor)]
    if wanted.status is not None:
        conditions.append(Study.status == wanted.status.value)
    if wanted.protocol is not None:
        conditions.append(Study.protocol == wanted.protocol)
    if wanted.report is not None:
        conditions.append(StudyReport.status == wanted.report.value)
    if wanted.is_mine:
        conditions.append(Study.owner_id == actor.user_id)
    if wanted.level or wanted.condition or wanted.grade:
        conditions.append(_has_finding(wanted))
    if wanted.search.strip():
        conditions.append(_matches(wanted.search.strip()))
    return conditions


def _has_finding(wanted: Wanted) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [StudyFinding.study_id == Study.id]
    if wanted.level:
        parts.append(StudyFinding.level == wanted.level)
    if wanted.condition:
        parts.append(StudyFinding.condition == wanted.condition)
    parts.append(StudyFinding.grade == wanted.grade if wanted.grade else StudyFinding.is_positive.is_(True))
    return exists().where(and_(*parts))


def _matches(text: str) -> ColumnElement[bool]:
    return or_(
        Study.label.icontains(text, autoescape=True),
        Study.id.istartswith(text, autoescape=True),
        Study.study_key.istartswith(text, autoescape=True),
    )


def _ordered(query: Select[Study], order: Order) -> Select[Study]:
    by_burden = (Study.burden.is_(None), Study.burden.desc())
    is_signed = case((StudyReport.status == ReportStatus.SIGNED.value, 1), else_=0)
    orders: dict[Order, tuple[Any, ...]] = {
        Order.URGENCY: (is_signed, Study.is_critical.desc(), *by_burden, Study.created_at),
        Order.NEWEST: (Study.created_at.desc(),),
        Order.OLDEST: (Study.created_at,),
        Order.BURDEN: (*by_burden, Study.created_at.desc()),
    }
    return query.order_by(*orders[order], Study.id)
