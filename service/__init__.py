"""The web service: one page on which a study is uploaded, read, edited and downloaded.

``create_app`` builds the FastAPI application; screens (the only place that knows gradio) are in ``screens/``.
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
