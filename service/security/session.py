"""Who is asking: puts the actor of the session's cookie into ``request.state.actor`` and renews the cookie."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.accounts.sessions import cookie_header, cookie_name, find_session
from service.security.paths import PUBLIC_FOLDERS, path_of
from service.services import Services

_LONGEST_TOKEN = 128


class SessionMiddleware:
    """Reads the cookie, looks the sign-in up, and sends the new token when it was exchanged.

    Args:
        app: The application inside.
        services: The open services.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["actor"] = None
        token = self._token(scope)
        if token is None or path_of(scope).startswith(PUBLIC_FOLDERS):
            await self._app(scope, receive, send)
            return
        found = await run_in_threadpool(find_session, self._services.database, self._services.config, token)
        if found is None:
            await self._app(scope, receive, send)
            return
        state["actor"] = found.actor
        renewed = found.new_token

        async def send_with_cookie(message: Message) -> None:
            if renewed is not None and message["type"] in ("http.response.start", "websocket.accept"):
                self._renew(message, renewed)
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _token(self, scope: Scope) -> str | None:
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        token = cookies.get(cookie_name(self._services.config))
        return token if token and len(token) <= _LONGEST_TOKEN else None

    def _renew(self, message: Message, token: str) -> None:
        """Add the new token, unless the route itself has just signed in or out."""
        headers = MutableHeaders(scope=message)
        name = cookie_name(self._services.config)
        if any(value.startswith(f"{name}=") for value in headers.getlist("set-cookie")):
            return
        headers.append("Set-Cookie", cookie_header(self._services.config, token))
        headers["Cache-Control"] = "no-store"  # an answer with a token stays in no cache
