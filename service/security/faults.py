"""The last wall: an unexpected error is answered like every other one, with the headers of every other one.

Starlette's own last wall stands outside of all middleware, where an answer gets no security headers.
"""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.application import error_response

logger = logging.getLogger(__name__)


class FaultsMiddleware:
    """Answers 500 without a word of what went wrong; the log has the rest.

    Args:
        app: The application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if has_started:
                raise
            logger.error("a request failed: %s", type(error).__name__, exc_info=error)
            words = "something went wrong on our side; the server's log says more"
            await error_response(500, "internal", words)(scope, receive, send)
