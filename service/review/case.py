"""A report with all that bears on it, loaded at one moment: what every rule and every view works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grading.triage import is_urgent
from grading.types import Findings
from reporting.prior import Comparison
from reporting.ranking import critical_items
from service.accounts.actor import Actor
from service.errors import NotFoundError
from service.review.conflicts import HumanText, Remark, unsaid
from service.review.follow import finding_words
from service.review.graph import (
    Ruling,
    decided_comparison,
    decided_document,
    decided_findings,
    reported_beside,
)
from service.review.machine import MachineReading, load_machine_reading
from service.review.rows import Origin, Sections, load_sections, reading_sections
from service.review.states import Standing
from service.store.tables import Acknowledgement, Decision, ReportVersion, StudyReport, User
from service.store.words import ReportStatus, Verdict
from service.studies.access import open_study


@dataclass(frozen=True)
class Decided:
    """A decision as it stands."""

    finding_id: str
    verdict: Verdict
    grade: str | None
    note: str
    user_id: str
    at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as versions keep it."""
        return {
            "finding_id": self.finding_id,
            "verdict": self.verdict.value,
            "grade": self.grade,
            "note": self.note,
            "user_id": self.user_id,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True)
class Signature:
    """Who signed, and when."""

    user_id: str
    at: datetime


@dataclass(frozen=True)
class Case:
    """A report at one version.

    Attributes:
        study_id: Study.
        reading: Reading that drafted it.
        status: Status.
        version: Version.
        proposed: What the machine drafted.
        current: What stands.
        decisions: Finding id -> decision.
        acknowledged: Critical findings that were taken note of -> user id.
        updated: Who changed it last; None for the machine.
        signature: Who signed what stands; None while it is not signed.
        names: User id -> name to show.
        at: When this version came to be.
        amended_version: The version that was signed last before this one; None when none was.
    """

    study_id: str
    reading: MachineReading
    status: ReportStatus
    version: int
    proposed: Sections
    current: Sections
    decisions: Mapping[str, Decided]
    acknowledged: Mapping[str, str]
    updated: Signature | None
    signature: Signature | None
    names: Mapping[str, str]
    at: datetime
    amended_version: int | None = None

    @property
    def reading_id(self) -> str:
        """Return which reading drafted it."""
        return self.reading.id

    @property
    def document(self) -> Mapping[str, Any]:
        """Return the content of reading.json."""
        return self.reading.document

    @property
    def machine(self) -> Findings:
        """Return the findings graph as the machine made it."""
        return self.reading.findings

    @cached_property
    def rulings(self) -> dict[str, Ruling]:
        """Return what was decided of each finding."""
        return {key: Ruling(item.verdict, item.grade) for key, item in self.decisions.items()}

    @cached_property
    def decided(self) -> Findings:
        """Return the findings graph as it was decided."""
        return decided_findings(self.machine, self.rulings)

    @cached_property
    def comparison(self) -> Comparison | None:
        """Return the change table as decided; None without an earlier reading."""
        return decided_comparison(self.document, self.machine, self.rulings)

    @cached_property
    def decided_document(self) -> dict[str, Any]:
        """Return reading.json as it stands after the decisions."""
        return decided_document(self.document, self.rulings, reading_sections(self.current), self.status.value)

    @property
    def positive_ids(self) -> tuple[str, ...]:
        """Return the findings that need a decision: those the machine found, or could not exclude."""
        return self.reading.positive_ids

    @cached_property
    def critical_ids(self) -> tuple[str, ...]:
        """Return the findings that need an acknowledgement: critical by the machine or as decided."""
        found: dict[str, None] = {}
        for findings in (self.machine, self.decided):
            keys = [key for item in critical_items(findings) for key in item.finding_ids]
            keys += [grade.id for grade in findings.reported if is_urgent(grade)]
            known = {grade.id for grade in self.machine.reported}
            found |= dict.fromkeys(key for key in keys if key in known)
            found |= dict.fromkeys(reported_beside(self.machine, (key for key in keys if key not in known)))
        return tuple(found)

    @cached_property
    def human_text(self) -> HumanText:
        """Return what compares human sentences with the decisions."""
        return HumanText(self.machine, self.rulings)

    @cached_property
    def remarks(self) -> tuple[Remark, ...]:
        """Return conflicts and warnings."""
        has_human = any(row.origin is Origin.HUMAN for section in self.current for row in section.rows)
        found = (
            [remark for section in self.current for remark in self.human_text.remarks(section)]
            if has_human
            else []
        )
        return (*found, *unsaid(self.current, self.machine, self.rulings))

    @cached_property
    def standing(self) -> Standing:
        """Return where the report stands."""
        return Standing(
            status=self.status,
            undecided=tuple(self.words(key) for key in self.positive_ids if key not in self.decisions),
            unacknowledged=tuple(self.words(key) for key in self.critical_ids if key not in self.acknowledged),
            conflicts=tuple(remark.text for remark in self.remarks if remark.is_conflict),
        )

    def words(self, finding_id: str) -> str:
        """Return a finding in words."""
        grade = self.machine.grade(finding_id)
        return finding_id if grade is None else finding_words(grade)

    def name(self, user_id: str | None) -> str:
        """Return the name of a user, as it stands under a report."""
        return "" if user_id is None else self.names.get(user_id, "a former user")


def load_case(session: Session, actor: Actor, study_id: str) -> Case:
    """Return the report of a study that the actor may see.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
    """
    open_study(session, actor, study_id)
    report = session.get(StudyReport, study_id)
    if report is None:
        raise NotFoundError("this study has no report yet")
    decisions = session.scalars(select(Decision).where(Decision.study_id == study_id)).all()
    acknowledged = session.scalars(select(Acknowledgement).where(Acknowledgement.study_id == study_id)).all()
    users = {item.user_id for item in decisions} | {item.user_id for item in acknowledged}
    reading = load_machine_reading(session, report.reading_id)
    return Case(
        study_id=study_id,
        reading=reading,
        status=ReportStatus(report.status),
        version=report.version,
        proposed=load_sections(report.proposed, reading.findings),
        current=load_sections(report.current, reading.findings),
        decisions={item.finding_id: _decided(item) for item in decisions},
        acknowledged={item.finding_id: item.user_id for item in acknowledged},
        updated=None if report.updated_by is None else Signature(report.updated_by, report.updated_at),
        signature=_signature(report),
        names=_names(
            session, users | {user for user in (report.updated_by, report.signed_by) if user is not None}
        ),
        at=report.updated_at,
        amended_version=_signed_before(session, report),
    )


def _signed_before(session: Session, report: StudyReport) -> int | None:
    """Return the last version that was signed before the one that stands."""
    query = select(func.max(ReportVersion.version)).where(
        ReportVersion.study_id == report.study_id,
        ReportVersion.version < report.version,
        ReportVersion.status == ReportStatus.SIGNED.value,
    )
    return session.scalar(query)


def _decided(row: Decision) -> Decided:
    return Decided(row.finding_id, Verdict(row.verdict), row.grade, row.note, row.user_id, row.at)


def _signature(report: StudyReport) -> Signature | None:
    if report.signed_by is None or report.signed_at is None:
        return None
    return Signature(report.signed_by, report.signed_at)


def _names(session: Session, users: set[str]) -> dict[str, str]:
    rows = session.scalars(select(User).where(User.id.in_(users))).all()
    return {user.id: user.display_name or user.name for user in rows}
