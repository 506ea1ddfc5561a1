"""The versions of a report: what the machine proposed is 0, each change is one more. None is ever taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.errors import NotFoundError
from service.review.case import load_case
from service.review.change import content_of
from service.review.diff import WordChange, compare_words
from service.review.rows import Sections, load_sections
from service.store.tables import ReportVersion, User
from service.studies.access import open_study

PROPOSED = 0
"""Number of what the machine proposed."""


@dataclass(frozen=True)
class VersionLine:
    """A version in the list."""

    version: int
    status: str
    what: str
    author: str
    at: datetime


@dataclass(frozen=True)
class SectionDiff:
    """A section in two versions, as words."""

    name: str
    words: tuple[WordChange, ...]


@dataclass(frozen=True)
class DecisionDiff:
    """A finding that was decided otherwise in two versions."""

    finding_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True)
class VersionDiff:
    """What differs between two versions."""

    first: int
    second: int
    sections: tuple[SectionDiff, ...]
    decisions: tuple[DecisionDiff, ...]


def list_versions(session: Session, actor: Actor, study_id: str) -> list[VersionLine]:
    """Return the versions of a report, the last first."""
    case = load_case(session, actor, study_id)
    query = (
        select(ReportVersion, User)
        .outerjoin(User, User.id == ReportVersion.author_id)
        .where(ReportVersion.study_id == study_id)
        .order_by(ReportVersion.version.desc())
    )
    lines = [
        VersionLine(row.version, row.status, row.what, _name(user), row.at) for row, user in session.execute(query)
    ]
    if lines:
        return lines
    created = open_study(session, actor, study_id).created_at
    return [VersionLine(case.version, case.status.value, "drafted by the machine", "", created)]


def diff_versions(
    session: Session, actor: Actor, study_id: str, first: int = PROPOSED, second: int | None = None
) -> VersionDiff:
    """Return what differs between two versions; None is the one that stands.

    Raises:
        NotFoundError: If there is no such version.
    """
    case = load_case(session, actor, study_id)
    numbers = first, case.version if second is None else second
    contents = [_content(session, actor, study_id, number) for number in numbers]
    before, after = (_texts(load_sections(item["sections"], case.machine)) for item in contents)
    names = dict.fromkeys((*before, *after))
    return VersionDiff(
        first=numbers[0],
        second=numbers[1],
        sections=tuple(
            SectionDiff(name, compare_words(before.get(name, ()), after.get(name, ()))) for name in names
        ),
        decisions=_decisions(contents[0], contents[1]),
    )


def _content(session: Session, actor: Actor, study_id: str, version: int) -> dict[str, Any]:
    case = load_case(session, actor, study_id)
    if version == PROPOSED:
        sections = [section.to_dict() for section in case.proposed]
        return {"sections": sections, "decisions": []}
    if version == case.version:
        return content_of(case)
    found = session.scalar(
        select(ReportVersion).where(ReportVersion.study_id == study_id, ReportVersion.version == version)
    )
    if found is None:
        raise NotFoundError("this report has no such version")
    return found.content


def _texts(sections: Sections) -> dict[str, tuple[str, ...]]:
    return {section.name: tuple(row.text for row in section.visible) for section in sections}


def _decisions(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[DecisionDiff, ...]:
    before, after = ({item["finding_id"]: _plain(item) for item in one["decisions"]} for one in (first, second))
    keys = sorted({*before, *after}, key=lambda key: (len(key), key))
    return tuple(
        DecisionDiff(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    )


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("verdict", "grade", "note")}


def _name(user: User | None) -> str:
    return "" if user is None else user.display_name or user.name
