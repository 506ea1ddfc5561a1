"""Templates and static files of the pages, and the headers that every page is sent with.

Everything is escaped by default. The policy allows nothing but what this server sends: no inline script or style,
no frame, no other host.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
STATIC_FOLDER = Path(__file__).parent / "static"

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_templates = Environment(
    loader=FileSystemLoader(TEMPLATE_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Static(StaticFiles):
    """Static files that the browser asks after each time, so that a new release reaches it at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def build_static() -> StaticFiles:
    """Return the application of the static files, to be mounted at ``/static``; it takes no sign-in."""
    return _Static(directory=STATIC_FOLDER)


def render(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page.

    Args:
        template: File name in ``templates/``.
        status: HTTP status.
        context: What the template shows; a name it lacks is an error.
    """
    return HTMLResponse(_templates.get_template(template).render(**context), status, headers=HEADERS)
