"""Who uses a screen: the service's own sign-in, told to Gradio by name and looked up anew for each action."""

from __future__ import annotations

import fastapi
import gradio as gr
from sqlalchemy import select

from service.accounts.actor import Actor
from service.errors import UnauthenticatedError
from service.services import Services
from service.store.tables import User


def signed_in_name(request: fastapi.Request) -> str | None:
    """Return the name of who is signed in, for Gradio's ``auth_dependency``; None: not let in."""
    actor: Actor | None = getattr(request.state, "actor", None)
    return None if actor is None else actor.name


def actor_of(services: Services, request: gr.Request) -> Actor:
    """Return who acts, with the role and groups of this moment.

    Raises:
        UnauthenticatedError: If the user is not signed in or was shut out meanwhile.
    """
    with services.database.read() as session:
        user = session.scalar(select(User).where(User.name == (request.username or "")))
        if user is None or not user.is_active:
            raise UnauthenticatedError("sign in first")
        return Actor.of(user)
