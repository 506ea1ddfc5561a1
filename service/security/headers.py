"""Headers that tell browsers what our pages may do: nothing from outside, no frames, no kept copies.

The research screens get a looser policy, since Gradio's page holds inline scripts and styles, makes functions of
text (its HTML components, its ``js``) and sets its base address: each was seen refused in a browser. Even there
nothing is loaded from, or sent to, another address.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.config import ServiceConfig
from service.security.paths import API, PUBLIC_FOLDERS, is_research, path_of

_EVERYWHERE = "object-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'self'; {_EVERYWHERE}"
API_POLICY = f"default-src 'none'; base-uri 'none'; form-action 'none'; {_EVERYWHERE}"
RESEARCH_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; media-src 'self' blob: data:; font-src 'self' data:; connect-src 'self'; "
    f"worker-src 'self' blob:; base-uri 'self'; form-action 'self'; {_EVERYWHERE}"
)
_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "microphone",
    "payment",
    "usb",
)
_ONE_YEAR_S = 31_536_000

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
}


class HeadersMiddleware:
    """Sets the headers of every answer.

    Args:
        app: The application inside.
        config: Whether https is in use.
    """

    def __init__(self, app: ASGIApp, config: ServiceConfig) -> None:
        self._app = app
        self._fixed = dict(_FIXED)
        if config.has_secure_cookies:
            self._fixed["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._fixed)
                headers["Content-Security-Policy"] = policy_of(path)
                headers.setdefault("Cache-Control", _caching_of(path))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def policy_of(path: str) -> str:
    """Return the Content-Security-Policy of a path."""
    if is_research(path):
        return RESEARCH_POLICY
    return API_POLICY if path.startswith(API) else PAGE_POLICY


def _caching_of(path: str) -> str:
    """Return how long browsers may keep an answer that does not say so itself."""
    return "no-cache" if path.startswith(PUBLIC_FOLDERS) else "no-store"
