"""The FastAPI application: a health check and the reading screen, mounted at the root.

No telemetry and no outside address is asked for: the analytics switch is set before gradio is imported.
"""

import os
import tempfile
from pathlib import Path

from fastapi import FastAPI

from pipeline import Reader
from service.workbench import Workbench

MAX_UPLOAD = "2gb"


def create_app(reader: Reader | None = None, *, work_dir: Path | None = None) -> FastAPI:
    """Build the application.

    Args:
        reader: Loaded models; None loads the shipped ones with the first study.
        work_dir: Folder for readings of this run; None makes one under the system's temporary folder.

    Returns:
        The application; serve it with uvicorn.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gradio

    from service.screens.reading_room import build_reading_room
    from service.screens.style import CSS_FILE, DARK_MODE_JS, build_theme

    folder = Path(tempfile.mkdtemp(prefix="spinescribe-")) if work_dir is None else work_dir
    workbench = Workbench(reader, folder)
    app = FastAPI(title="SpineScribe", docs_url=None, redoc_url=None)

    @app.get("/healthz")
    def health() -> dict[str, str]:
        """Answer that the process serves."""
        return {"status": "ok"}

    screen = build_reading_room(workbench)
    screen.queue(default_concurrency_limit=4, max_size=32)
    return gradio.mount_gradio_app(  # type: ignore[no-any-return]
        app,
        screen,
        path="/",
        allowed_paths=[str(folder)],
        max_file_size=MAX_UPLOAD,
        show_error=False,
        footer_links=[],
        theme=build_theme(),
        css_paths=CSS_FILE,
        js=DARK_MODE_JS,
    )
