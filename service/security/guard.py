"""Closed by default: without a sign-in only a short list of addresses is answered, before any body is read."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.application import error_response
from service.security.paths import API, is_public, is_research, path_of


class GuardMiddleware:
    """Answers strangers: 303 to the sign-in page for pages, 401 for everything else.

    Args:
        app: The application inside; ``SessionMiddleware`` is outside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket") or scope["state"]["actor"] is not None:
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif is_public(scope["method"], path):
            await self._app(scope, receive, send)
        else:
            await _refusal(scope, path)(scope, receive, send)


def _refusal(scope: Scope, path: str) -> Response:
    wants_page = not is_research(path) or "text/html" in Headers(scope=scope).get("accept", "")
    if scope["method"] in ("GET", "HEAD") and not path.startswith(API) and wants_page:
        # Two slashes in front would name another host.
        is_worth_returning = path != "/" and not path.startswith("//")
        query = scope["query_string"].decode("latin-1")
        wanted = quote(f"{path}?{query}" if query else path, safe="")
        target = f"/login?next={wanted}" if is_worth_returning else "/login"
        return RedirectResponse(target, status_code=303)
    return error_response(401, "unauthenticated", "sign in first", {"Connection": "close"})
