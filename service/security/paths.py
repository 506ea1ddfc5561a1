"""Which addresses are special to request security; every other one takes a sign-in."""

from __future__ import annotations

from starlette.types import Scope

API = "/api/"
SESSION = "/api/v1/session"
RESEARCH = "/research"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

PUBLIC = frozenset(
    {
        "/healthz",
        "/readyz",
        "/login",
        "/favicon.ico",
        f"{SESSION}/oidc",
        f"{SESSION}/oidc/callback",
    }
)
"""Answered without a sign-in."""

PUBLIC_FOLDERS = ("/static/",)
"""All below is answered without a sign-in: style, scripts and pictures of our own."""

UPLOADS = frozenset({"/api/v1/studies", "/api/v1/research/evaluations"})
"""Where files may come; below ``/research/`` too."""


def path_of(scope: Scope) -> str:
    """Return the path of a request within the application."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def is_public(method: str, path: str) -> bool:
    """Return whether a request is answered without a sign-in."""
    if path in PUBLIC or path.startswith(PUBLIC_FOLDERS):
        return True
    return is_login(method, path)


def is_login(method: str, path: str) -> bool:
    """Return whether a request signs in."""
    return method == "POST" and path == SESSION


def is_research(path: str) -> bool:
    """Return whether a path belongs to the research screens (Gradio)."""
    return path == RESEARCH or path.startswith(f"{RESEARCH}/")
