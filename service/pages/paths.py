"""Where the browser may be sent after signing in: paths of this host alone."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

HOME = "/worklist"
"""Page shown when none was asked for."""


def local_path(wanted: str | None) -> str:
    """Return the path if it stays on this host, else the home page.

    Browsers read ``//host``, ``/\\host`` and paths with control characters as other hosts: all are refused, and so
    are the sign-in page itself (a circle) and the API.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//"):
        return HOME
    if "\\" in wanted or any(ord(sign) < 0x21 or ord(sign) == 0x7F for sign in wanted):
        return HOME
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return HOME
    if parts.scheme or parts.netloc or parts.path.startswith(("/login", "/api/")):
        return HOME
    return wanted


def login_path(wanted: str) -> str:
    """Return the address of the sign-in page that leads back to ``wanted``."""
    back = local_path(wanted)
    return "/login" if back in (HOME, "/") else f"/login?next={quote(back, safe='')}"
