"""The service's own pages: sign-in, worklist, reading room, history, administration, audit, account, manual.

Jinja2 templates and ES modules without a build step; nothing comes from outside. Pages hold no data but the user's
name and the CSRF token: what they show they ask of the API.
"""

from service.pages.routes import build_pages
from service.pages.templating import STATIC_FOLDER

__all__ = ["STATIC_FOLDER", "build_pages"]
