"""Bodies that are too large (413) or do not arrive (408) are ended, also where no length was announced.

Uploads may have the configured size, everything else 1 MiB. A body may pause for half a minute, and must on
average come at 1 KiB/s: nobody holds connections open at no cost.
"""

from __future__ import annotations

import time
from http import HTTPStatus

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.application import error_response
from service.config import ServiceConfig
from service.security.paths import UPLOADS, is_research, path_of

ORDINARY_BYTES = 2**20
"""Largest body where no file is expected."""

STALL_S = 30.0
"""Longest pause within a body, in seconds."""

_FORM_BYTES = 2**16  # what a multipart form has around its file
_LEAST_BYTES_PER_S = 1024
_LINGER_S = 2.0  # so long is read and thrown away after a refusal, that the sender may see the answer
_WORDS = {
    413: ("too_large", "the request is larger than accepted here"),
    408: ("timeout", "the request's body did not arrive in time"),
}


class BodyLimitMiddleware:
    """Counts and times every body.

    Args:
        app: The application inside.
        config: The size of uploads.
    """

    def __init__(self, app: ASGIApp, config: ServiceConfig) -> None:
        self._app = app
        self._upload_bytes = config.max_upload_bytes + _FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(path_of(scope))
        announced = Headers(scope=scope).get("content-length", "")
        body = _Body(receive, limit)
        if announced.isdecimal() and int(announced) > limit:
            await _refuse(413, scope, body, send)
            return
        await self._serve(scope, body, send)

    async def _serve(self, scope: Scope, body: _Body, send: Send) -> None:
        """Run the application; answer in its place if the body was refused meanwhile."""
        has_started = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal has_started
            if body.refused is None or has_started:
                has_started = True
                await send(message)

        try:
            await self._app(scope, body.receive, send_unless_refused)
        except Exception:
            if body.refused is None or has_started:
                raise
        if body.refused is not None and not has_started:
            await _refuse(body.refused, scope, body, send)

    def _limit(self, path: str) -> int:
        return self._upload_bytes if path in UPLOADS or is_research(path) else ORDINARY_BYTES


class _Body:
    """A body under way: how much came, how long it was waited for, why it was refused."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._bytes = 0
        self._waited_s = 0.0
        self._is_complete = False
        self.refused: int | None = None

    async def receive(self) -> Message:
        """Return the next message of the server.

        Raises:
            HTTPException: If the body is too large or does not arrive.
        """
        if self._is_complete:
            return await self._receive()  # waits until the browser goes away: as long as it likes
        began = time.monotonic()
        try:
            with anyio.fail_after(STALL_S):
                message = await self._receive()
        except TimeoutError:
            raise self._refusal(408) from None
        self._waited_s += time.monotonic() - began
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._is_complete = not message.get("more_body", False)
        if self._bytes > self._limit:
            raise self._refusal(413)
        if not self._is_complete and self._waited_s > STALL_S + self._bytes / _LEAST_BYTES_PER_S:
            raise self._refusal(408)
        return message

    async def throw_away(self) -> None:
        """Read on for a moment without keeping anything."""
        with anyio.move_on_after(_LINGER_S):
            while not self._is_complete:
                message = await self._receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return

    def _refusal(self, status: int) -> HTTPException:
        self.refused = status
        return HTTPException(status, HTTPStatus(status).phrase)


async def _refuse(status: int, scope: Scope, body: _Body, send: Send) -> None:
    """Answer, then read on for a moment: a connection closed at once may lose the answer."""
    answer = error_response(status, *_WORDS[status], {"Connection": "close"})
    await send({"type": "http.response.start", "status": status, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    # Who asks first (Expect: 100-continue) has not begun to send.
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and "expect" not in Headers(scope=scope):
        await body.throw_away()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
