"""Sign-ins: a random token in a cookie, its SHA-256 in the table; they end when idle, and after a day's work.

A token is exchanged for a new one from time to time. The old one stays valid until the browser has shown the new
one, and for a short grace after, since requests may be in flight and an answer may be lost. All tokens of one
sign-in share its CSRF token. An exchanged token that comes back after its grace was copied: the sign-in ends.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Delete, Row, bindparam, delete, select, update
from sqlalchemy.orm import Session, joinedload

from service import audit
from service.accounts.actor import Actor
from service.config import ServiceConfig
from service.store import Database
from service.store.base import now
from service.store.tables import LoginSession, Membership, User
from service.store.words import Role

GRACE = timedelta(seconds=60)
"""How long an exchanged token is still accepted once its successor was seen."""

_REISSUE = timedelta(seconds=30)  # a successor not seen for so long was lost on the way: another is made
_TOUCH = timedelta(seconds=60)  # ``last_seen_at`` is written at most so often
_TOKEN_BYTES = 32
_Glanced = Row[*tuple[Any, ...]]
_Times = LoginSession | _Glanced

_GLANCE = (
    select(
        LoginSession.user_id,
        LoginSession.csrf_token,
        LoginSession.created_at,
        LoginSession.rotated_at,
        LoginSession.last_seen_at,
        LoginSession.expires_at,
        LoginSession.successor_id,
        User.name,
        User.display_name,
        User.role,
        User.is_active,
        Membership.group_id,
    )
    .select_from(LoginSession)
    .join(User)
    .outerjoin(Membership, Membership.user_id == User.id)
    .where(LoginSession.id == bindparam("id"))
)
"""What nearly every request asks, made once: a row for each group of the user, or one."""


@dataclass(frozen=True)
class SignedIn:
    """Who a token belongs to.

    Attributes:
        actor: The user.
        new_token: What the cookie must hold from now on; None to leave it.
    """

    actor: Actor
    new_token: str | None = None


def cookie_name(config: ServiceConfig) -> str:
    """Return the name of the cookie; with https one that browsers bind to this host."""
    return "__Host-spinescribe" if config.has_secure_cookies else "spinescribe"


def cookie_header(config: ServiceConfig, token: str | None) -> str:
    """Return the value of ``Set-Cookie`` that stores a token, or with None deletes it."""
    parts = [f"{cookie_name(config)}={token or ''}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if token is None:
        parts.append("Max-Age=0")
    if config.has_secure_cookies:
        parts.append("Secure")
    return "; ".join(parts)


def open_session(session: Session, config: ServiceConfig, user: User) -> tuple[LoginSession, str]:
    """Sign a user in.

    Args:
        session: An open writing transaction.
        config: How long sign-ins last.
        user: Who was recognised.

    Returns:
        The row and the token, which is nowhere else.
    """
    moment = now()
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = LoginSession(
        id=hash_token(token),
        user_id=user.id,
        csrf_token=secrets.token_urlsafe(_TOKEN_BYTES),
        created_at=moment,
        rotated_at=moment,
        last_seen_at=moment,
        expires_at=moment + timedelta(seconds=config.session_max_s),
    )
    session.add(row)
    session.flush()
    return row, token


def find_session(database: Database, config: ServiceConfig, token: str) -> SignedIn | None:
    """Return who a token belongs to, or None; exchanges the token when it is due.

    Args:
        database: Where the sign-ins are.
        config: How long they last.
        token: Value of the cookie.
    """
    moment, row_id = now(), hash_token(token)
    with database.look() as connection:
        rows = connection.execute(_GLANCE, {"id": row_id}).all()
    if not rows:
        return None
    row = rows[0]
    if not (row.is_active and _is_valid(row, config, moment)):
        is_copy = row.successor_id is not None and _is_young(row, config, moment)
        if not is_copy:
            return None
    elif not (_is_due(row, config, moment) or _is_new(row) or moment - row.last_seen_at > _TOUCH):
        groups = frozenset(item.group_id for item in rows if item.group_id is not None)
        return SignedIn(_glanced(row, row_id, groups))
    with database.begin_soft() as session:
        return _visit(session, config, row_id, moment)


def end_session(session: Session, actor: Actor) -> None:
    """End the sign-in of an actor, with all its tokens."""
    session.execute(_of_user(actor.user_id).where(LoginSession.csrf_token == actor.csrf_token))


def end_all_sessions(session: Session, user_id: str, *, but: Actor | None = None) -> None:
    """End all sign-ins of a user, or all but one.

    Args:
        session: An open writing transaction.
        user_id: The user.
        but: The sign-in that goes on.
    """
    doomed = _of_user(user_id)
    if but is not None:
        doomed = doomed.where(LoginSession.csrf_token != but.csrf_token)
    session.execute(doomed)


def purge_sessions(session: Session, config: ServiceConfig) -> None:
    """Delete what has ended for good."""
    oldest = now() - timedelta(seconds=config.session_max_s)
    session.execute(delete(LoginSession).where(LoginSession.created_at < oldest))


def hash_token(token: str) -> str:
    """Return what the table keeps of a token: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _visit(session: Session, config: ServiceConfig, row_id: str, moment: datetime) -> SignedIn | None:
    """Write what a request changes: last seen, the end of older tokens, a new token."""
    row = _row(session, row_id)
    if row is None:
        return None
    if not (row.user.is_active and _is_valid(row, config, moment)):
        if row.successor_id is not None and _is_young(row, config, moment):
            audit.append(session, row.user.name, "session.reuse", subject=f"user:{row.user_id}")
            end_session(session, _actor(row))
        return None
    if _is_new(row):
        _end_older(session, row, moment)
    row.last_seen_at = max(moment, row.last_seen_at)
    if not _is_due(row, config, moment):
        return SignedIn(_actor(row))
    return _exchange(session, row, moment)


def _exchange(session: Session, row: LoginSession, moment: datetime) -> SignedIn:
    """Give a sign-in a new token; the old one goes on until the new one is seen."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    fresh = LoginSession(
        id=hash_token(token),
        user_id=row.user_id,
        csrf_token=row.csrf_token,
        created_at=row.created_at,
        rotated_at=moment,
        last_seen_at=moment,
        expires_at=row.expires_at,
    )
    session.add(fresh)
    row.successor_id = fresh.id
    row.rotated_at = moment
    actor = _actor(row)
    session.flush()
    return SignedIn(actor, token)


def _end_older(session: Session, row: LoginSession, moment: datetime) -> None:
    """Leave the exchanged tokens of a sign-in their grace, now that a newer one came back."""
    session.execute(
        update(LoginSession)
        .where(
            LoginSession.user_id == row.user_id,
            LoginSession.csrf_token == row.csrf_token,
            LoginSession.id != row.id,
            LoginSession.rotated_at <= row.rotated_at,
            LoginSession.expires_at > moment + GRACE,
        )
        .values(expires_at=moment + GRACE)
    )


def _row(session: Session, row_id: str) -> LoginSession | None:
    """Return the row with its user, locked where the database locks rows."""
    wanted = select(LoginSession).where(LoginSession.id == row_id)
    wanted = wanted.options(joinedload(LoginSession.user).selectinload(User.groups))
    return session.scalar(wanted.with_for_update(of=LoginSession))


def _is_valid(row: _Times, config: ServiceConfig, moment: datetime) -> bool:
    is_idle = moment - row.last_seen_at > timedelta(seconds=config.session_idle_s)
    return moment < row.expires_at and not is_idle and _is_young(row, config, moment)


def _is_young(row: _Times, config: ServiceConfig, moment: datetime) -> bool:
    return moment - row.created_at < timedelta(seconds=config.session_max_s)


def _is_due(row: _Times, config: ServiceConfig, moment: datetime) -> bool:
    """Return whether a token is to be exchanged: it is old, and no successor is on its way."""
    if row.successor_id is None:
        return moment - row.rotated_at > timedelta(seconds=config.session_rotate_s)
    return moment < row.expires_at - GRACE and moment - row.rotated_at > _REISSUE


def _is_new(row: _Times) -> bool:
    """Return whether a token made by an exchange comes back for the first time."""
    return row.successor_id is None and row.last_seen_at == row.rotated_at


def _glanced(row: _Glanced, row_id: str, groups: frozenset[str]) -> Actor:
    return Actor(
        user_id=row.user_id,
        name=row.name,
        display_name=row.display_name or row.name,
        role=Role(row.role),
        group_ids=groups,
        session_id=row_id,
        csrf_token=row.csrf_token,
    )


def _actor(row: LoginSession) -> Actor:
    return Actor.of(row.user, session_id=row.id, csrf_token=row.csrf_token)


def _of_user(user_id: str) -> Delete:
    return delete(LoginSession).where(LoginSession.user_id == user_id)
