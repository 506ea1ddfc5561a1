"""Routes of the sign-in by an OpenID Connect provider: there and back, both visited by the browser as pages."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from service.accounts.login import begin_session
from service.accounts.oidc import PENDING_S, finish, resolve_user, seal, start, unseal
from service.accounts.oidc_provider import discover
from service.api.dependencies import ServicesDep
from service.api.session import set_cookie
from service.config import ServiceConfig
from service.errors import InvalidError, NotFoundError, ServiceError
from service.services import Services

router = APIRouter(tags=["session"])

_Short = Annotated[str, Query(max_length=4096)]
_PAGE = """<!doctype html><html lang="en"><title>Sign-in refused - SpineScribe</title>
<h1>Sign-in refused</h1><p>{words}</p><p><a href="/login">Back to the sign-in page</a></p></html>"""


@router.get("/session/oidc", response_class=RedirectResponse)
def go_to_provider(request: Request, services: ServicesDep) -> Response:
    """Send the browser to the provider."""
    if not services.config.oidc_issuer:
        raise NotFoundError("no OpenID Connect provider is set up here")
    try:
        address, pending = start(discover(services.config), _redirect_uri(request, services.config))
    except ServiceError as error:
        return _refusal(error)
    response = RedirectResponse(address, status_code=303)
    response.headers.append("Set-Cookie", _cookie(services.config, seal(services.config, pending), PENDING_S))
    return response


@router.get("/session/oidc/callback", response_class=RedirectResponse)
def come_from_provider(
    request: Request,
    services: ServicesDep,
    state: _Short = "",
    code: _Short = "",
    iss: _Short | None = None,
) -> Response:
    """Sign in whom the provider recognised, and go to the worklist."""
    if not services.config.oidc_issuer:
        raise NotFoundError("no OpenID Connect provider is set up here")
    try:
        response = _come_in(request, services, state, code, iss)
    except ServiceError as error:
        response = _refusal(error)
    response.headers.append("Set-Cookie", _cookie(services.config, "", 0))
    return response


def _come_in(request: Request, services: Services, state: str, code: str, iss: str | None) -> Response:
    config = services.config
    pending = unseal(config, request.cookies.get(_cookie_name(config), ""))
    if not code:
        raise InvalidError("the provider did not sign you in", code="oidc_refused")
    person = finish(discover(config), _redirect_uri(request, config), pending, state=state, code=code, issuer=iss)
    with services.database.begin() as session:
        user = resolve_user(session, config, person)
        before = getattr(request.state, "actor", None)
        begun = begin_session(session, services, user, how="oidc", before=before)
    response = RedirectResponse("/", status_code=303)
    set_cookie(response, config, begun)
    return response


def _refusal(error: ServiceError) -> Response:
    return HTMLResponse(_PAGE.format(words=escape(str(error))), status_code=error.status)


def _redirect_uri(request: Request, config: ServiceConfig) -> str:
    """Return the address that the provider sends the browser back to; it must be registered there."""
    address = request.url_for("come_from_provider")
    return str(address.replace(scheme="https") if config.has_secure_cookies else address)


def _cookie_name(config: ServiceConfig) -> str:
    return "__Host-spinescribe-oidc" if config.has_secure_cookies else "spinescribe-oidc"


def _cookie(config: ServiceConfig, value: str, seconds: int) -> str:
    secure = "; Secure" if config.has_secure_cookies else ""
    return f"{_cookie_name(config)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
