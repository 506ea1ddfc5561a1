"""Decisions on findings: accepted, edited with the grade that is right, rejected; critical ones acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anatomy import SCALES
from grading.types import Grade, GradeStatus
from service.accounts.actor import Actor
from service.errors import InvalidError, NotFoundError
from service.review.case import Case, Decided
from service.review.change import Change, change_report, draft_again, followed
from service.review.states import Action, next_status
from service.services import Services
from service.store.base import now
from service.store.words import Verdict

_VERB = "decide on findings"


def decide(
    services: Services,
    actor: Actor,
    study_id: str,
    version: int,
    finding_ids: Sequence[str],
    verdict: Verdict,
    *,
    grade: str | None = None,
    note: str = "",
) -> Case:
    """Decide on findings, all alike; the text follows.

    Args:
        services: The open services.
        actor: Who decides.
        study_id: Study.
        version: The version that the actor saw.
        finding_ids: Findings of the reading; of several, all get the verdict.
        verdict: What is decided.
        grade: For ``edit``: the step of the finding's scale that is right.
        note: Why, for the reader's own use; not in the report, not in the audit log.

    Raises:
        NotFoundError: If a finding is none of this report.
        InvalidError: If the verdict and the grade do not fit the finding.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.DECIDE, case.standing)
        for key in finding_ids:
            _check(_finding(case, key), verdict, grade)
        at = now()
        made = {key: Decided(key, verdict, grade, note, actor.user_id, at) for key in finding_ids}
        after = followed(draft_again(status, replace(case, decisions={**case.decisions, **made})))
        named = ", ".join(case.words(key) for key in finding_ids)
        what = f"{verdict.value}: {named}"[:300]
        details = {"findings": list(finding_ids), "verdict": verdict.value, "grade": grade}
        return Change(after, "report.decide", what, details)

    return change_report(services, actor, study_id, version, work, verb=_VERB)


def withdraw(services: Services, actor: Actor, study_id: str, version: int, finding_id: str) -> Case:
    """Take a decision back; the machine's sentences stand again where nothing else touched them.

    Raises:
        NotFoundError: If the finding was not decided.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.DECIDE, case.standing)
        if finding_id not in case.decisions:
            raise NotFoundError("there is no decision on this finding")
        kept = {key: item for key, item in case.decisions.items() if key != finding_id}
        after = followed(draft_again(status, replace(case, decisions=kept)))
        what = f"decision withdrawn: {case.words(finding_id)}"
        return Change(after, "report.withdraw", what, {"findings": [finding_id]})

    return change_report(services, actor, study_id, version, work, verb=_VERB)


def acknowledge(services: Services, actor: Actor, study_id: str, version: int, finding_id: str) -> Case:
    """Take note of a critical finding.

    Raises:
        NotFoundError: If the finding is none of this report.
        InvalidError: If it is not critical.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.ACKNOWLEDGE, case.standing)
        _finding(case, finding_id)
        if finding_id not in case.critical_ids:
            raise InvalidError("this finding is not critical: there is nothing to acknowledge")
        seen = {finding_id: actor.user_id, **case.acknowledged}
        after = replace(case, status=status, acknowledged=seen)
        what = f"acknowledged: {case.words(finding_id)}"
        return Change(after, "report.acknowledge", what, {"findings": [finding_id]})

    return change_report(services, actor, study_id, version, work, verb="acknowledge critical findings")


def _finding(case: Case, finding_id: str) -> Grade:
    found = case.machine.grade(finding_id)
    if found is None:
        raise NotFoundError("this report has no such finding")
    if found.is_check:
        raise InvalidError("this is a second way of grading the same place: decide on the finding beside it")
    return found


def _check(found: Grade, verdict: Verdict, grade: str | None) -> None:
    """Refuse a grade that is none of the finding's scale, and to reject what was never claimed."""
    steps = SCALES[found.scale].grades
    if verdict is Verdict.EDIT and grade not in steps:
        raise InvalidError(f"expected a grade of {', '.join(steps)} for the {found.scale} scale")
    if verdict is not Verdict.EDIT and grade is not None:
        raise InvalidError("a grade belongs to the verdict edit only")
    if verdict is Verdict.REJECT and found.status is GradeStatus.NOT_ASSESSABLE:
        raise InvalidError(
            "it was not assessed, so there is nothing to reject: edit it with the grade that is right"
        )
