"""What routes ask for: the open services and the one who is signed in.

Both were found by the middlewares before (``service.security``). None of it waits, so all are coroutines: FastAPI
gives every other dependency a thread, which costs more than the work.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from service.accounts.actor import Actor
from service.errors import ForbiddenError, UnauthenticatedError
from service.services import Services
from service.store.words import Role


async def services_of(request: Request) -> Services:
    """Return the open services of the application."""
    services: Services = request.app.state.services
    return services


async def current_actor(request: Request) -> Actor:
    """Return the one who is signed in.

    Raises:
        UnauthenticatedError: If nobody is.
    """
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:
        raise UnauthenticatedError("sign in first")
    return actor


async def administrator(actor: Annotated[Actor, Depends(current_actor)]) -> Actor:
    """Return the actor if an administrator."""
    return _with_role(actor, Role.ADMINISTRATOR)


async def researcher(actor: Annotated[Actor, Depends(current_actor)]) -> Actor:
    """Return the actor if a researcher."""
    return _with_role(actor, Role.RESEARCHER)


def _with_role(actor: Actor, role: Role) -> Actor:
    if actor.role is not role:
        raise ForbiddenError(f"this takes the role {role.value}; yours is {actor.role.value}")
    return actor


ServicesDep = Annotated[Services, Depends(services_of)]
ActorDep = Annotated[Actor, Depends(current_actor)]
AdministratorDep = Annotated[Actor, Depends(administrator)]
ResearcherDep = Annotated[Actor, Depends(researcher)]
