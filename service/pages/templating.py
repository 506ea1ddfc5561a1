"""Templates and static files of the pages. Everything is escaped by default; a name a template lacks is an error.

What browsers may do with a page is said by the headers of ``service.security``, for all answers alike: no inline
script or style, no frame, nothing from another host. Templates keep to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
STATIC_FOLDER = Path(__file__).parent / "static"
"""Files that are sent as they are, without a sign-in; ``service.web`` mounts them at ``/static``."""

_templates = Environment(
    loader=FileSystemLoader(TEMPLATE_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page.

    Args:
        template: File name in ``templates/``.
        status: HTTP status.
        context: What the template shows.
    """
    return HTMLResponse(_templates.get_template(template).render(**context), status)
