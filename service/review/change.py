"""Every change of a report goes through here: the version named must be the one that stands; all of it is kept.

A change is worked out on a ``Case`` outside any writing transaction, then written in one: the row is updated only
where its version is still the one that was read (compare and set), the whole report is kept as a version, and the
audit log gets its line. Who was late is told the version that stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.audit import append
from service.errors import NotFoundError, StaleError
from service.review.case import Case, Decided, Signature, load_case
from service.review.follow import follow
from service.review.graph import decided_comparison
from service.review.provenance import provenance_of
from service.review.rows import Sections, dump_sections
from service.services import Services
from service.store.base import now
from service.store.tables import Acknowledgement, Decision, ReportVersion, StudyReport
from service.store.words import ReportStatus
from service.studies.access import require_radiologist


@dataclass(frozen=True)
class Change:
    """A report as a change leaves it, and how the change is told.

    Attributes:
        case: The report after it; ``version`` still that before it.
        action: For the audit log, such as ``report.sign``.
        what: For the list of versions, one short phrase.
        details: For the audit log: ids and plain values, never text of the report.
    """

    case: Case
    action: str
    what: str
    details: Mapping[str, Any] = field(default_factory=dict)


def open_case(services: Services, actor: Actor, study_id: str) -> Case:
    """Return the report of a study that the actor may see."""
    with services.database.read() as session:
        return load_case(session, actor, study_id)


def change_report(
    services: Services,
    actor: Actor,
    study_id: str,
    version: int,
    work: Callable[[Case], Change],
    *,
    verb: str,
) -> Case:
    """Change a report and return it as it then stands.

    Args:
        services: The open services.
        actor: Who changes it.
        study_id: Study.
        version: The version that the actor saw.
        work: The change; returns the case it was given for no change.
        verb: What the actor does, for the refusal of other roles: ``sign a report``.

    Raises:
        NotFoundError: If there is no such report, or the actor may not see it.
        ForbiddenError: If the actor is no radiologist.
        StaleError: If another version stands.
        ConflictError: If the report's status forbids it.
    """
    case = open_case(services, actor, study_id)
    require_radiologist(actor, verb)
    if case.version != version:
        raise StaleError(case.version)
    change = work(case)
    if change.case == case:
        return case
    with services.database.begin() as session:
        _write(session, actor, case, change)
    return open_case(services, actor, study_id)


def followed(case: Case, *, current: Sections | None = None) -> Case:
    """Return a case whose text follows its decisions."""
    comparison = decided_comparison(case.document, case.machine, case.rulings)
    written = follow(
        case.current if current is None else current, case.proposed, case.machine, case.rulings, comparison
    )
    return replace(case, current=written)


def content_of(case: Case) -> dict[str, Any]:
    """Return the whole of a report as versions keep it."""
    return {
        "reading_id": case.reading_id,
        "sections": dump_sections(case.current),
        "decisions": [item.to_dict() for _, item in sorted(case.decisions.items())],
        "acknowledged": dict(sorted(case.acknowledged.items())),
        "signature": _signed(case.signature),
    }


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a version's content: the audit line of a signature names it."""
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _write(session: Session, actor: Actor, before: Case, change: Change) -> None:
    after, at = change.case, now()
    done = session.execute(
        update(StudyReport)
        .where(StudyReport.study_id == before.study_id, StudyReport.version == before.version)
        .values(
            version=before.version + 1,
            status=after.status.value,
            current=dump_sections(after.current),
            updated_at=at,
            updated_by=actor.user_id,
            signed_at=None if after.signature is None else after.signature.at,
            signed_by=None if after.signature is None else after.signature.user_id,
        )
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise StaleError(_version(session, before.study_id))
    _keep_first(session, before)
    _write_decisions(session, before, after)
    content = content_of(after)
    session.add(
        ReportVersion(
            study_id=before.study_id,
            version=before.version + 1,
            status=after.status.value,
            content=content,
            what=change.what,
            author_id=actor.user_id,
            at=at,
        )
    )
    details = {"version": before.version + 1, "content_sha256": content_hash(content), **change.details}
    append(
        session,
        actor.name,
        change.action,
        subject=f"study:{before.study_id}",
        details={**details, **provenance_of(before)},
    )


def _keep_first(session: Session, before: Case) -> None:
    """Keep the version that the machine wrote, when the first change comes."""
    query = select(ReportVersion.id).where(
        ReportVersion.study_id == before.study_id, ReportVersion.version == before.version
    )
    if session.scalar(query) is None:
        session.add(
            ReportVersion(
                study_id=before.study_id,
                version=before.version,
                status=before.status.value,
                content=content_of(before),
                what="drafted by the machine",
            )
        )


def _write_decisions(session: Session, before: Case, after: Case) -> None:
    study = before.study_id
    moved = [key for key in before.decisions if after.decisions.get(key) != before.decisions[key]]
    session.execute(delete(Decision).where(Decision.study_id == study, Decision.finding_id.in_(moved)))
    for key, item in after.decisions.items():
        if before.decisions.get(key) != item:
            session.add(_decision_row(study, item))
    for key, user in after.acknowledged.items():
        if key not in before.acknowledged:
            session.add(Acknowledgement(study_id=study, finding_id=key, user_id=user))


def _decision_row(study_id: str, item: Decided) -> Decision:
    return Decision(
        study_id=study_id,
        finding_id=item.finding_id,
        verdict=item.verdict.value,
        grade=item.grade,
        note=item.note,
        user_id=item.user_id,
        at=item.at,
    )


def _signed(signature: Signature | None) -> dict[str, str] | None:
    return None if signature is None else {"user_id": signature.user_id, "at": signature.at.isoformat()}


def _version(session: Session, study_id: str) -> int:
    version = session.scalar(select(StudyReport.version).where(StudyReport.study_id == study_id))
    if version is None:
        raise NotFoundError("this study has no report any more")
    return version


def draft_again(status: ReportStatus, case: Case) -> Case:
    """Return a case in another status; what is not signed has no signature."""
    return replace(case, status=status, signature=None if status is not ReportStatus.SIGNED else case.signature)
