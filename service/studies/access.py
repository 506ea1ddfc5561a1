"""Who may see and change a study: its owner, the members of its group, and administrators (to see, not to sign).

A study that may not be seen is answered as one that does not exist: ids are not confirmed to strangers.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from service.accounts.actor import Actor
from service.errors import ForbiddenError, NotFoundError
from service.store.tables import StoredReading, Study
from service.store.words import Role


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``studies`` rows that an actor may see."""
    if actor.is_administrator:
        return true()
    return or_(Study.owner_id == actor.user_id, Study.group_id.in_(actor.group_ids))


def may_see(actor: Actor, study: Study) -> bool:
    """Return whether an actor may see a study."""
    return actor.is_administrator or study.owner_id == actor.user_id or study.group_id in actor.group_ids


def open_study(session: Session, actor: Actor, study_id: str) -> Study:
    """Return a study that the actor may see.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
    """
    study = session.get(Study, study_id)
    if study is None or not may_see(actor, study):
        raise NotFoundError("there is no such study, or it is not yours to see")
    return study


def open_reading(session: Session, actor: Actor, reading_id: str, *options: ORMOption) -> StoredReading:
    """Return a reading of a study that the actor may see.

    Args:
        session: An open transaction.
        actor: Who looks.
        reading_id: Which reading.
        *options: What of it is loaded, and what is not.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
    """
    reading = session.get(StoredReading, reading_id, options=options)
    if reading is None:
        raise NotFoundError("there is no such reading, or it is not yours to see")
    open_study(session, actor, reading.study_id)
    return reading


def require_radiologist(actor: Actor, what: str) -> None:
    """Let only radiologists decide and sign.

    Raises:
        ForbiddenError: If the actor is none.
    """
    if actor.role is not Role.RADIOLOGIST:
        raise ForbiddenError(f"to {what} takes the role radiologist; yours is {actor.role.value}")
