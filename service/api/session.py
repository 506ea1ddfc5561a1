"""Routes of the sign-in: by password, the one who is signed in, out, password, preferences."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.accounts.login import NewSession, change_password, sign_in, sign_out
from service.accounts.sessions import cookie_header
from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.accounts import LoginIn, PasswordIn, PreferencesIn, SessionOut, current_user
from service.config import ServiceConfig
from service.errors import InvalidError, UnauthenticatedError
from service.services import Services
from service.store.tables import User

router = APIRouter(tags=["session"])

_MOST_PREFERENCES = 50


@router.post("/session")
def post_session(body: LoginIn, request: Request, response: Response, services: ServicesDep) -> SessionOut:
    """Sign in by name and password; sets the cookie."""
    before: Actor | None = getattr(request.state, "actor", None)
    begun = sign_in(services, body.name, body.password, address=address_of(request), before=before)
    set_cookie(response, services.config, begun)
    return _session_out(services, begun.actor)


@router.get("/session")
def get_session(actor: ActorDep, services: ServicesDep) -> SessionOut:
    """Return who is signed in, and the token that unsafe requests must send."""
    return _session_out(services, actor)


@router.delete("/session", status_code=204)
def delete_session(actor: ActorDep, services: ServicesDep, response: Response) -> None:
    """Sign out; deletes the cookie and what this browser keeps of us."""
    sign_out(services, actor)
    response.headers.append("Set-Cookie", cookie_header(services.config, None))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


@router.post("/session/password", status_code=204)
def post_password(body: PasswordIn, request: Request, actor: ActorDep, services: ServicesDep) -> None:
    """Change the password; ends the user's other sign-ins."""
    change_password(services, actor, body.current, body.new, address=address_of(request))


@router.patch("/session/preferences")
def patch_preferences(body: PreferencesIn, actor: ActorDep, services: ServicesDep) -> SessionOut:
    """Keep choices of the user's screens; null forgets one."""
    with services.database.begin() as session:
        user = _user(session, actor)
        merged = {**user.preferences, **body.root}
        kept = {key: value for key, value in merged.items() if value is not None}
        if len(kept) > _MOST_PREFERENCES:
            raise InvalidError(f"at most {_MOST_PREFERENCES} preferences are kept")
        user.preferences = kept
    return _session_out(services, actor)


def address_of(request: Request) -> str:
    """Return where a request comes from; behind a proxy the server must be told to trust its header."""
    return "" if request.client is None else request.client.host


def set_cookie(response: Response, config: ServiceConfig, begun: NewSession) -> None:
    """Send the token of a new sign-in to the browser."""
    response.headers.append("Set-Cookie", cookie_header(config, begun.token))


def _session_out(services: Services, actor: Actor) -> SessionOut:
    with services.database.read() as session:
        return SessionOut(user=current_user(_user(session, actor)), csrf_token=actor.csrf_token)


def _user(session: Session, actor: Actor) -> User:
    user = session.get(User, actor.user_id)
    if user is None:
        raise UnauthenticatedError("sign in first")
    return user
