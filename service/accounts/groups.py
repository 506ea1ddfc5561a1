"""Groups: users who share studies."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service import audit
from service.errors import ConflictError, InvalidError, NotFoundError
from service.store.tables import Group, Membership, Study

_LONGEST_NAME = 120


def add_group(session: Session, actor: str, name: str) -> Group:
    """Add a group.

    Args:
        session: An open writing transaction.
        actor: Who adds, for the audit log.
        name: Name of the group.

    Raises:
        InvalidError: If the name is empty, too long or not printable.
        ConflictError: If there is one of that name.
    """
    cleaned = " ".join(name.split())
    if not 0 < len(cleaned) <= _LONGEST_NAME or not cleaned.isprintable():
        raise InvalidError(f"the name of a group must have 1 to {_LONGEST_NAME} printable characters")
    if find_group(session, cleaned) is not None:
        raise ConflictError(f"there is a group {cleaned!r} already")
    group = Group(name=cleaned)
    session.add(group)
    session.flush()
    audit.append(session, actor, "group.add", subject=f"group:{group.id}", details={"name": cleaned})
    return group


def find_group(session: Session, name: str) -> Group | None:
    """Return the group of a name, or None."""
    return session.scalar(select(Group).where(Group.name == " ".join(name.split())))


def delete_group(session: Session, actor: str, group_id: str) -> None:
    """Delete a group; its studies stay with their owners.

    Args:
        session: An open writing transaction.
        actor: Who deletes, for the audit log.
        group_id: The group.

    Raises:
        NotFoundError: If there is none.
    """
    group = session.get(Group, group_id)
    if group is None:
        raise NotFoundError("there is no such group")
    studies = session.scalar(select(func.count()).where(Study.group_id == group_id)) or 0
    session.execute(update(Study).where(Study.group_id == group_id).values(group_id=None))
    details = {"name": group.name, "studies": studies}
    session.delete(group)
    session.flush()
    audit.append(session, actor, "group.delete", subject=f"group:{group_id}", details=details)


def member_counts(session: Session) -> dict[str, int]:
    """Return how many members each group has that has any, by id."""
    rows = session.execute(select(Membership.group_id, func.count()).group_by(Membership.group_id)).all()
    return {str(group_id): int(count) for group_id, count in rows}
