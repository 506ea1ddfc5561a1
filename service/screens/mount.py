"""The research screens under ``/research/``: Gradio without telemetry, outside addresses or files of its own.

Who is not signed in is turned away by the service's own guard before Gradio is reached, and once more by
``auth_dependency``.
"""

from __future__ import annotations

import os

from fastapi import FastAPI

from service.services import Services

PATH = "/research"
_POLL_S = 0.05


def mount_research(app: FastAPI, services: Services) -> FastAPI:
    """Mount the screens on an application whose middleware sets ``request.state.actor``."""
    # Gradio reads these: the first at import, the second for each upload, which lies there until it is taken.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(services.config.work_dir / "gradio")
    import gradio

    from service.screens.research import build_research_screen
    from service.screens.style import CSS_FILE, DARK_MODE_JS, build_theme
    from service.screens.users import signed_in_name

    screen = build_research_screen(services)
    screen.queue(default_concurrency_limit=8, max_size=64)
    # Gradio looks for work every millisecond, which takes a twentieth of a core while nobody is there.
    screen._queue.sleep_when_free = _POLL_S
    mounted: FastAPI = gradio.mount_gradio_app(
        app,
        screen,
        path=PATH,
        auth_dependency=signed_in_name,
        max_file_size=services.config.max_upload_bytes,
        show_error=False,
        ssr_mode=False,
        footer_links=[],
        theme=build_theme(),
        css_paths=CSS_FILE,
        js=DARK_MODE_JS,
    )
    return mounted
