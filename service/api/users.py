"""Routes of users and groups, for administrators."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from service.accounts.groups import add_group, delete_group, member_counts
from service.accounts.users import UserChange, add_user, change_user
from service.api.dependencies import AdministratorDep, ServicesDep
from service.api.schemas.accounts import GroupIn, GroupOut, UserIn, UserOut, UserPatch, user_out
from service.store.tables import Group, User

router = APIRouter(tags=["users"])


@router.get("/users")
def get_users(_actor: AdministratorDep, services: ServicesDep) -> list[UserOut]:
    """Return all users, by name."""
    with services.database.read() as session:
        rows = session.scalars(select(User).options(selectinload(User.groups)).order_by(User.name))
        return [user_out(user) for user in rows]


@router.post("/users", status_code=201)
def post_user(body: UserIn, actor: AdministratorDep, services: ServicesDep) -> UserOut:
    """Add a user."""
    with services.database.begin() as session:
        user = add_user(
            session,
            actor.name,
            body.name,
            role=body.role,
            display_name=body.display_name,
            password=body.password,
            group_ids=body.groups,
            oidc_subject=body.oidc_subject,
        )
        return user_out(user)


@router.patch("/users/{user_id}")
def patch_user(user_id: str, body: UserPatch, actor: AdministratorDep, services: ServicesDep) -> UserOut:
    """Change a user; a new password or deactivation ends the user's sign-ins."""
    change = UserChange(
        display_name=body.display_name,
        role=body.role,
        is_active=body.is_active,
        group_ids=body.groups,
        password=body.password,
        oidc_subject=body.oidc_subject,
    )
    with services.database.begin() as session:
        return user_out(change_user(session, actor.name, user_id, change))


@router.get("/groups")
def get_groups(_actor: AdministratorDep, services: ServicesDep) -> list[GroupOut]:
    """Return all groups, by name."""
    with services.database.read() as session:
        counts = member_counts(session)
        rows = session.scalars(select(Group).order_by(Group.name))
        return [GroupOut(id=group.id, name=group.name, members=counts.get(group.id, 0)) for group in rows]


@router.post("/groups", status_code=201)
def post_group(body: GroupIn, actor: AdministratorDep, services: ServicesDep) -> GroupOut:
    """Add a group."""
    with services.database.begin() as session:
        group = add_group(session, actor.name, body.name)
        return GroupOut(id=group.id, name=group.name, members=0)


@router.delete("/groups/{group_id}", status_code=204)
def remove_group(group_id: str, actor: AdministratorDep, services: ServicesDep) -> None:
    """Delete a group; its studies stay with their owners."""
    with services.database.begin() as session:
        delete_group(session, actor.name, group_id)
