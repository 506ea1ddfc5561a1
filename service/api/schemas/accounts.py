"""What the routes of sign-in, users and groups take and give. No answer holds a password, its hash or a token."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.store.tables import Group, User
from service.store.words import Role

_Password = Annotated[str, Field(max_length=1024)]
_Id = Annotated[str, Field(min_length=1, max_length=32)]
_PreferenceKey = Annotated[str, Field(min_length=1, max_length=60)]
_PreferenceText = Annotated[str, Field(max_length=500)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoginIn(_In):
    """A name and a password."""

    name: str = Field(max_length=120)
    password: _Password


class PasswordIn(_In):
    """The password that was, and the one that shall be."""

    current: _Password
    new: _Password


class PreferencesIn(RootModel[dict[_PreferenceKey, bool | int | float | _PreferenceText | None]]):
    """Choices of a user's screens, by name; null forgets one."""


class UserIn(_In):
    """A new user; without a password one who signs in by OpenID Connect."""

    name: str = Field(min_length=1, max_length=120)
    role: Role
    display_name: str = Field("", max_length=200)
    password: _Password | None = None
    groups: list[_Id] = Field([], max_length=200, description="ids of groups")
    oidc_subject: str | None = Field(None, min_length=1, max_length=255)


class UserPatch(_In):
    """What to change of a user; what is absent or null stays."""

    display_name: str | None = Field(None, max_length=200)
    role: Role | None = None
    is_active: bool | None = None
    groups: list[_Id] | None = Field(None, max_length=200, description="ids of all groups of the user")
    password: _Password | None = None
    oidc_subject: str | None = Field(None, max_length=255, description="empty removes the link")


class GroupIn(_In):
    """A new group."""

    name: str = Field(min_length=1, max_length=120)


class GroupRef(BaseModel):
    """A group, by id and name."""

    id: str
    name: str


class GroupOut(GroupRef):
    """A group and how many belong to it."""

    members: int


class CurrentUser(BaseModel):
    """The one who is signed in."""

    id: str
    name: str
    display_name: str
    role: Role
    groups: list[GroupRef]
    preferences: dict[str, Any]
    has_password: bool


class SessionOut(BaseModel):
    """A sign-in: who, and what unsafe requests must send in ``X-CSRF-Token``."""

    user: CurrentUser
    csrf_token: str


class UserOut(BaseModel):
    """A user, as administrators see one."""

    id: str
    name: str
    display_name: str
    role: Role
    is_active: bool
    groups: list[GroupRef]
    has_password: bool
    oidc_subject: str | None
    created_at: str


def group_refs(user: User) -> list[GroupRef]:
    """Return the groups of a user, by name."""
    ordered: list[Group] = sorted(user.groups, key=lambda group: group.name)
    return [GroupRef(id=group.id, name=group.name) for group in ordered]


def current_user(user: User) -> CurrentUser:
    """Return what one who is signed in sees of the row."""
    return CurrentUser(
        id=user.id,
        name=user.name,
        display_name=user.display_name or user.name,
        role=Role(user.role),
        groups=group_refs(user),
        preferences=user.preferences,
        has_password=user.password_hash is not None,
    )


def user_out(user: User) -> UserOut:
    """Return what administrators see of the row."""
    return UserOut(
        id=user.id,
        name=user.name,
        display_name=user.display_name or user.name,
        role=Role(user.role),
        is_active=user.is_active,
        groups=group_refs(user),
        has_password=user.password_hash is not None,
        oidc_subject=user.oidc_subject,
        created_at=user.created_at.isoformat(),
    )
