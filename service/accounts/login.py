"""Signing in by name and password: rate limit, check, audit line, session; and showing the password again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import audit
from service.accounts import throttle
from service.accounts.actor import Actor
from service.accounts.passwords import check_new_password, hash_password, needs_rehash, verify
from service.accounts.sessions import end_all_sessions, end_session, open_session, purge_sessions
from service.accounts.users import clean_name
from service.config import load_secret_key
from service.errors import ConflictError, ForbiddenError, UnauthenticatedError
from service.services import Services
from service.store.tables import User

NOBODY = "unknown"
"""What the audit log calls one whose name does not exist: people type passwords where names belong."""


@dataclass(frozen=True)
class NewSession:
    """A sign-in that has just begun.

    Attributes:
        actor: The user.
        token: What the cookie must hold.
    """

    actor: Actor
    token: str


def sign_in(
    services: Services, name: str, password: str, *, address: str, before: Actor | None = None
) -> NewSession:
    """Sign a user in.

    Args:
        services: The open services.
        name: Name as given.
        password: Password as given.
        address: Where the request comes from.
        before: Who was signed in with the same browser until now; that sign-in ends.

    Raises:
        UnauthenticatedError: If name or password is wrong, or the user is deactivated; it is not told which.
        BusyError: If too many attempts were refused before.
    """
    user = _recognise(services, name, password, address, "session.refuse")
    with services.database.begin() as session:
        return begin_session(session, services, session.get_one(User, user.id), how="password", before=before)


def begin_session(
    session: Session, services: Services, user: User, *, how: str, before: Actor | None = None
) -> NewSession:
    """Open the session of a user who was recognised, and write it down.

    Args:
        session: An open writing transaction.
        services: The open services.
        user: The user.
        how: ``password`` or ``oidc``, for the audit log.
        before: Who was signed in with the same browser until now; that sign-in ends.
    """
    purge_sessions(session, services.config)
    if before is not None:
        end_session(session, before)
    row, token = open_session(session, services.config, user)
    audit.append(session, user.name, "session.login", subject=f"user:{user.id}", details={"how": how})
    return NewSession(Actor.of(user, session_id=row.id, csrf_token=row.csrf_token), token)


def sign_out(services: Services, actor: Actor) -> None:
    """End the sign-in of an actor."""
    with services.database.begin() as session:
        end_session(session, actor)
        audit.append(session, actor.name, "session.logout", subject=f"user:{actor.user_id}")


def confirm_password(services: Services, actor: Actor, password: str, *, address: str = "") -> None:
    """Make sure that it is the user who sits there, before a signature or a new password.

    Args:
        services: The open services.
        actor: Who is signed in.
        password: Password as given.
        address: Where the request comes from.

    Raises:
        ForbiddenError: If the password is wrong, or the user has none.
        BusyError: If too many attempts were refused before.
    """
    with services.database.read() as session:
        if session.get_one(User, actor.user_id).password_hash is None:
            raise ForbiddenError("you have no password here; an administrator can set one", code="no_password")
    try:
        _recognise(services, actor.name, password, address, "session.confirm_refuse")
    except UnauthenticatedError:
        raise ForbiddenError("the password is wrong", code="wrong_password") from None


def change_password(services: Services, actor: Actor, current: str, new: str, *, address: str = "") -> None:
    """Change the password of the one who is signed in; ends the user's other sign-ins.

    Raises:
        ForbiddenError: If the current password is wrong, or the user has none.
        InvalidError: If the new one is not accepted.
        ConflictError: If it is the current one.
        BusyError: If too many attempts were refused before.
    """
    check_new_password(new, name=actor.name, display_name=actor.display_name)
    confirm_password(services, actor, current, address=address)
    if current == new:
        raise ConflictError("the new password is the current one", code="same_password")
    hashed = hash_password(new)
    with services.database.begin() as session:
        user = session.get_one(User, actor.user_id)
        user.password_hash = hashed
        end_all_sessions(session, user.id, but=actor)
        audit.append(session, actor.name, "user.password", subject=f"user:{user.id}")


def _recognise(services: Services, name: str, password: str, address: str, refused: str) -> User:
    """Return the active user of a name and a password; count, and write down, an attempt that is refused."""
    cleaned = clean_name(name)
    attempt = throttle.Attempt.of(load_secret_key(services.config), cleaned, address)
    with services.database.begin() as session:
        throttle.admit(session, attempt)
    with services.database.read() as session:
        user = session.scalar(select(User).where(User.name == cleaned))
    # Hashing takes a tenth of a second: outside of any transaction.
    is_right = verify(None if user is None else user.password_hash, password)
    if user is None or not is_right or not user.is_active:
        _refuse(services, user, attempt, refused)
    stored = user.password_hash or ""
    fresh = hash_password(password) if needs_rehash(stored) else None
    with services.database.begin() as session:
        throttle.forgive(session, attempt)
        if fresh is not None:
            session.get_one(User, user.id).password_hash = fresh
    return user


def _refuse(services: Services, user: User | None, attempt: throttle.Attempt, action: str) -> NoReturn:
    with services.database.begin() as session:
        throttle.blame(session, attempt)
        audit.append(
            session,
            NOBODY if user is None else user.name,
            action,
            subject="" if user is None else f"user:{user.id}",
        )
    raise UnauthenticatedError("the name or the password is wrong", code="wrong_credentials")
