"""The web service: worklist, reading room, sign-off, audit, research screens and the REST API under them.

``create_app`` builds the FastAPI application; ``screens/`` is the only place that knows gradio.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.web import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":
        from service.web import create_app

        return create_app
    raise AttributeError(f"module 'service' has no attribute {name!r}")
