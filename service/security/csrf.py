"""Requests that change something must come from our own pages.

With a sign-in they carry the header ``X-CSRF-Token``, which a page of another site cannot know. Signing in itself,
and the research screens, whose scripts do not know our header, are let through by origin: browsers tell where a
request comes from (``Sec-Fetch-Site``, ``Origin``), and no script can change that. The research screens must tell.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.accounts.actor import Actor
from service.api.application import error_response
from service.security.paths import SAFE_METHODS, is_research, path_of

HEADER = "x-csrf-token"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class CsrfMiddleware:
    """Refuses with 403 what does not come from our own pages.

    Args:
        app: The application inside; ``SessionMiddleware`` is outside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            if came_from_here(Headers(scope=scope)) is not True:
                await send({"type": "websocket.close", "code": 1008})
                return
        elif scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            trouble = _trouble(Headers(scope=scope), path_of(scope), scope["state"]["actor"])
            if trouble is not None:
                refusal = error_response(403, "csrf", trouble, {"Connection": "close"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def came_from_here(headers: Headers) -> bool | None:
    """Return whether a browser says that a request comes from our own pages; None if nothing is said."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return None
    parts = urlsplit(origin)
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None:  # "null", or no address of the web
        return False
    return _without(parts.netloc, default) == _without(headers.get("host", ""), default)


def _trouble(headers: Headers, path: str, actor: Actor | None) -> str | None:
    """Return why a request is refused, or None."""
    is_ours = came_from_here(headers)
    if is_ours is False:
        return "this request comes from another site"
    if actor is None:
        return None
    if is_research(path):
        return None if is_ours else "this request does not say that it comes from our own pages"
    given = headers.get(HEADER, "")
    if not hmac.compare_digest(given.encode("latin-1", "replace"), actor.csrf_token.encode()):
        return "the header X-CSRF-Token is missing or not that of this sign-in; load the page again"
    return None


def _without(netloc: str, port: str) -> str:
    return netloc.lower().removesuffix(port)
