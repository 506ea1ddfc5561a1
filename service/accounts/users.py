"""Users: added, changed and deactivated by administrators; never deleted, since reports and audit lines name them.

The last active administrator can neither be deactivated nor given another role.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import audit
from service.accounts.passwords import check_new_password, hash_password
from service.accounts.sessions import end_all_sessions
from service.errors import ConflictError, InvalidError, NotFoundError
from service.store.tables import Group, User
from service.store.words import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,119}")
_LONGEST_DISPLAY_NAME = 200


@dataclass(frozen=True)
class UserChange:
    """What to change of a user; None leaves a thing as it is.

    Attributes:
        display_name: Name under the user's reports.
        role: Role.
        is_active: Whether the user may sign in.
        group_ids: All groups of the user.
        password: A new password; ends all sign-ins.
        oidc_subject: Who the user is at the OpenID Connect provider; empty for nobody.
    """

    display_name: str | None = None
    role: Role | None = None
    is_active: bool | None = None
    group_ids: Sequence[str] | None = None
    password: str | None = None
    oidc_subject: str | None = None


def clean_name(name: str) -> str:
    """Return a sign-in name as the table keeps it: without spaces around, in lower case."""
    return name.strip().lower()


def is_valid_name(name: str) -> bool:
    """Return whether a cleaned name may be a sign-in name."""
    return _NAME.fullmatch(name) is not None


def find_user(session: Session, name: str) -> User:
    """Return the user of a name.

    Raises:
        NotFoundError: If there is none.
    """
    user = session.scalar(select(User).where(User.name == clean_name(name)))
    if user is None:
        raise NotFoundError(f"there is no user {clean_name(name)!r}")
    return user


def add_user(
    session: Session,
    actor: str,
    name: str,
    *,
    role: Role,
    display_name: str = "",
    password: str | None = None,
    group_ids: Sequence[str] = (),
    oidc_subject: str | None = None,
) -> User:
    """Add a user.

    Args:
        session: An open writing transaction.
        actor: Who adds, for the audit log.
        name: Name to sign in with: lower-case letters, digits and ``. _ @ -``.
        role: Role.
        display_name: Name under the user's reports; empty for the sign-in name.
        password: Password; None for one who signs in elsewhere.
        group_ids: Groups.
        oidc_subject: Who the user is at the OpenID Connect provider.

    Raises:
        InvalidError: If the name or the password is not accepted.
        NotFoundError: If a group does not exist.
        ConflictError: If the name or the subject is taken.
    """
    cleaned = clean_name(name)
    if not is_valid_name(cleaned):
        raise InvalidError("the name must be of 1 to 120 letters a-z, digits and . _ @ -, a letter or digit first")
    shown = _clean_display_name(display_name) or cleaned
    if password is not None:
        check_new_password(password, name=cleaned, display_name=shown)
    if session.scalar(select(User.id).where(User.name == cleaned)) is not None:
        raise ConflictError(f"there is a user {cleaned!r} already")
    _check_subject(session, oidc_subject, None)
    user = User(
        name=cleaned,
        display_name=shown,
        role=role.value,
        password_hash=None if password is None else hash_password(password),
        oidc_subject=oidc_subject,
        groups=_groups(session, group_ids),
    )
    session.add(user)
    session.flush()
    details = {"name": cleaned, "role": role.value, "groups": [group.name for group in user.groups]}
    audit.append(session, actor, "user.add", subject=f"user:{user.id}", details=details)
    return user


def change_user(session: Session, actor: str, user_id: str, change: UserChange) -> User:
    """Change a user.

    Args:
        session: An open writing transaction.
        actor: Who changes, for the audit log.
        user_id: The user.
        change: What to change.

    Raises:
        NotFoundError: If the user or a group does not exist.
        InvalidError: If the password or the display name is not accepted.
        ConflictError: If no active administrator would be left, or the subject is another user's.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError("there is no such user")
    _keep_an_administrator(session, user, change)
    told = _apply(session, user, change)
    if change.is_active is False or change.password is not None:
        end_all_sessions(session, user.id)
    if told:
        session.flush()
        audit.append(session, actor, "user.change", subject=f"user:{user.id}", details=told)
    return user


def _apply(session: Session, user: User, change: UserChange) -> dict[str, object]:
    """Change the row; return what the audit log tells of it."""
    told: dict[str, object] = {}
    if change.display_name is not None:
        user.display_name = _clean_display_name(change.display_name) or user.name
        told["display_name"] = "changed"
    if change.role is not None:
        told["role"] = [user.role, change.role.value]
        user.role = change.role.value
    if change.is_active is not None:
        told["is_active"] = user.is_active = change.is_active
    if change.group_ids is not None:
        user.groups = _groups(session, change.group_ids)
        told["groups"] = [group.name for group in user.groups]
    if change.password is not None:
        check_new_password(change.password, name=user.name, display_name=user.display_name)
        user.password_hash = hash_password(change.password)
        told["password"] = "reset"
    if change.oidc_subject is not None:
        _check_subject(session, change.oidc_subject, user.id)
        user.oidc_subject = change.oidc_subject or None
        told["oidc_subject"] = "set" if change.oidc_subject else "removed"
    return told


def _keep_an_administrator(session: Session, user: User, change: UserChange) -> None:
    """Refuse a change after which nobody could run the service. Locks the rows: two may try at once."""
    stays = change.is_active is not False and change.role in (None, Role.ADMINISTRATOR)
    if stays or user.role != Role.ADMINISTRATOR.value or not user.is_active:
        return
    active = select(User.id).where(User.role == Role.ADMINISTRATOR.value, User.is_active)
    if len(session.scalars(active.with_for_update()).all()) <= 1:
        raise ConflictError("this is the last active administrator: make another one first", code="last_admin")


def count_administrators(session: Session) -> int:
    """Return how many active administrators there are."""
    wanted = select(func.count()).where(User.role == Role.ADMINISTRATOR.value, User.is_active)
    return session.scalar(wanted) or 0


def _check_subject(session: Session, subject: str | None, user_id: str | None) -> None:
    if not subject:
        return
    holder = session.scalar(select(User.id).where(User.oidc_subject == subject))
    if holder is not None and holder != user_id:
        raise ConflictError("another user is linked to this subject already")


def _groups(session: Session, group_ids: Sequence[str]) -> list[Group]:
    wanted = set(group_ids)
    found = list(session.scalars(select(Group).where(Group.id.in_(wanted)).order_by(Group.name)))
    if len(found) != len(wanted):
        raise NotFoundError("there is no such group")
    return found


def _clean_display_name(display_name: str) -> str:
    cleaned = " ".join(display_name.split())
    if len(cleaned) > _LONGEST_DISPLAY_NAME or not cleaned.isprintable():
        raise InvalidError(f"the display name must have at most {_LONGEST_DISPLAY_NAME} printable characters")
    return cleaned
