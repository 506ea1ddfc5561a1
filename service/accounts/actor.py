"""Who is acting: what the rest of the service needs to know of the one who is signed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.store.tables import User
from service.store.words import Role


@dataclass(frozen=True)
class Actor:
    """A signed-in user.

    Attributes:
        user_id: Id.
        name: Name by which the user signs in; what the audit log says.
        display_name: Name under a signed report.
        role: Role.
        group_ids: Groups.
        session_id: Of the sign-in (hash of its token).
        csrf_token: What unsafe requests must send in the header ``X-CSRF-Token``.
    """

    user_id: str
    name: str
    display_name: str
    role: Role
    group_ids: frozenset[str] = field(default_factory=frozenset)
    session_id: str = ""
    csrf_token: str = ""

    @property
    def is_administrator(self) -> bool:
        """Return whether the user runs the service."""
        return self.role is Role.ADMINISTRATOR

    @classmethod
    def of(cls, user: User, *, session_id: str = "", csrf_token: str = "") -> Actor:
        """Return the actor of a row."""
        return cls(
            user_id=user.id,
            name=user.name,
            display_name=user.display_name or user.name,
            role=Role(user.role),
            group_ids=frozenset(group.id for group in user.groups),
            session_id=session_id,
            csrf_token=csrf_token,
        )
