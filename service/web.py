"""The application: REST API, pages and research screens over one core, behind one wall (``service.security``).

No telemetry, and no address outside this machine is asked for: the switches are set before gradio is imported.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from service.api import (
    audit,
    chat,
    exports,
    health,
    history,
    oidc,
    readings,
    reports,
    research,
    session,
    studies,
    users,
)
from service.api.application import build_api
from service.config import ServiceConfig, load_service_config
from service.jobs.embedded import embedded_worker
from service.pages.routes import build_pages
from service.screens.mount import mount_research
from service.security import secure
from service.services import Services

STATIC = Path(__file__).parent / "pages" / "static"
ROUTERS = (
    session.router, oidc.router, users.router, studies.router, readings.router, reports.router, chat.router,
    exports.router, audit.router, history.router, research.router,
)  # fmt: skip


def create_app(config: ServiceConfig | None = None, *, has_worker: bool = False) -> FastAPI:
    """Build the application.

    Args:
        config: Configuration; None reads the environment.
        has_worker: Whether a worker process runs beside the server, started and ended with it.

    Returns:
        The application; serve it with uvicorn.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    services = Services.open(load_service_config() if config is None else config)
    app = build_api(services, ROUTERS)
    app.include_router(health.router)
    app.include_router(build_pages(services))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    mount_research(app, services)
    _run_beside(app, services, has_worker=has_worker)
    secure(app, services)
    return app


def _run_beside(app: FastAPI, services: Services, *, has_worker: bool) -> None:
    """Start what lives as long as the server, around the lifespan that the application already has."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[Any]:
        async with inner(application) as state:
            if has_worker:
                with embedded_worker(services.config):
                    yield state
            else:
                yield state
        services.close()

    app.router.lifespan_context = lifespan
