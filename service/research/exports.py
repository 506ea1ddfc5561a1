"""Corrections on their way out: who may, and what the audit log says of it."""

from __future__ import annotations

from service.accounts.actor import Actor
from service.audit.log import append
from service.config import load_secret_key
from service.errors import ForbiddenError
from service.research.corrections import Corrections, collect_corrections
from service.services import Services
from service.store.words import Role


def export_corrections(services: Services, actor: Actor) -> Corrections:
    """Return the corrections that a researcher takes out; the audit log tells how many.

    Raises:
        ForbiddenError: If the actor is no researcher.
    """
    made = preview_corrections(services, actor)
    counts = {name: made.summary()[name] for name in ("studies", "findings", "sentences")}
    with services.database.begin() as session:
        told = {**counts, "dropped": sum(made.dropped.values())}
        append(session, actor.name, "corrections.export", details=told)
    return made


def preview_corrections(services: Services, actor: Actor) -> Corrections:
    """Return the same for a look on the screen, which is no export.

    Raises:
        ForbiddenError: If the actor is no researcher.
    """
    if actor.role is not Role.RESEARCHER:
        raise ForbiddenError(f"this takes the role researcher; yours is {actor.role.value}")
    with services.database.read() as session:
        return collect_corrections(session, actor, load_secret_key(services.config))
