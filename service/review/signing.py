"""Review, signature and amendment. Who signs proves again who it is: a session left open signs nothing.

The proof is the password. Users of an OpenID Connect provider have none here: they type the name they sign in
with, which proves no identity (their session does) but is no click by mistake; the audit line says which it was.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from service.accounts.actor import Actor
from service.audit import append
from service.errors import BusyError, ForbiddenError, InvalidError
from service.review.case import Case, Signature
from service.review.change import Change, change_report
from service.review.states import Action, next_status
from service.services import Services
from service.store.base import now
from service.store.tables import AuditEntry, User
from service.store.words import ReportStatus

MAX_REASON = 250
"""Characters of the reason of an amendment."""

_REFUSED = "report.sign_refused"
_TRIES = 5
_WINDOW_S = 900

Verify = Callable[[str, str], bool]
"""(hash, password) -> whether it is the password."""


def review(services: Services, actor: Actor, study_id: str, version: int) -> Case:
    """Mark a report as reviewed.

    Raises:
        ConflictError: If it is no draft, or something stands in the way.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.REVIEW, case.standing)
        return Change(replace(case, status=status), "report.review", "reviewed")

    return change_report(services, actor, study_id, version, work, verb="review a report")


def sign(
    services: Services, actor: Actor, study_id: str, version: int, password: str, *, verify: Verify | None = None
) -> Case:
    """Sign a report.

    Args:
        services: The open services.
        actor: Who signs.
        study_id: Study.
        version: The version that the actor saw.
        password: The actor's password; for users without one, the name they sign in with.
        verify: Checks a password; None takes that of the accounts.

    Raises:
        ConflictError: If it is not reviewed, or something stands in the way.
        ForbiddenError: If the password is wrong.
        BusyError: If it was wrong too often.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.SIGN, case.standing)
        proof = _prove(services, actor, study_id, password, verify or _verify)
        after = replace(case, status=status, signature=Signature(actor.user_id, now()))
        details = {
            "proof": proof,
            "decisions": {key: item.verdict.value for key, item in sorted(case.decisions.items())},
        }
        return Change(after, "report.sign", "signed", details)

    return change_report(services, actor, study_id, version, work, verb="sign a report")


def amend(services: Services, actor: Actor, study_id: str, version: int, reason: str) -> Case:
    """Open a signed report again; what was signed is kept as its version.

    Raises:
        InvalidError: If the reason is empty or too long.
        ConflictError: If the report is not signed.
    """

    def work(case: Case) -> Change:
        told = " ".join(reason.split())
        if not told or len(told) > MAX_REASON:
            raise InvalidError(f"expected a reason of 1 to {MAX_REASON} characters")
        status = next_status(Action.AMEND, case.standing)
        after = replace(case, status=status, signature=None)
        return Change(after, "report.amend", f"amended: {told}", {"opened_version": case.version})

    return change_report(services, actor, study_id, version, work, verb="amend a report")


def is_final(status: ReportStatus) -> bool:
    """Return whether a report may leave the house without the mark of a draft."""
    return status is ReportStatus.SIGNED


def _prove(services: Services, actor: Actor, study_id: str, password: str, verify: Verify) -> str:
    """Return how the actor proved who it is."""
    with services.database.read() as session:
        user = session.get(User, actor.user_id)
        tries = session.scalar(
            select(func.count())
            .select_from(AuditEntry)
            .where(
                AuditEntry.action == _REFUSED,
                AuditEntry.actor == actor.name,
                AuditEntry.at > now() - timedelta(seconds=_WINDOW_S),
            )
        )
    if user is None or not user.is_active:
        raise ForbiddenError("this account is not active")
    if (tries or 0) >= _TRIES:
        raise BusyError("too many wrong passwords; try again later", retry_after_s=_WINDOW_S)
    proof = "name" if user.password_hash is None else "password"
    if user.password_hash is None:
        is_right = hmac.compare_digest(password.strip().encode(), user.name.encode())
    else:
        is_right = verify(user.password_hash, password)
    if not is_right:
        with services.database.begin() as session:
            append(session, actor.name, _REFUSED, subject=f"study:{study_id}", details={"proof": proof})
        told = "type the name you sign in with" if proof == "name" else "the password is wrong"
        raise ForbiddenError(f"not signed: {told}", code="wrong_password")
    return proof


def _verify(password_hash: str, password: str) -> bool:
    from service.accounts.passwords import verify

    return verify(password_hash, password)
