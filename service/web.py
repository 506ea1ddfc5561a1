"""The web application: the REST API and the research screens over one set of open services."""

from __future__ import annotations

from fastapi import FastAPI

from service.api.application import build_api
from service.api.history import router as history
from service.api.research import router as research
from service.api.studies import router as studies
from service.config import load_service_config
from service.screens.mount import mount_research
from service.services import Services


def create_app(services: Services | None = None) -> FastAPI:
    """Build the application.

    Args:
        services: Open services; None opens those of the environment.
    """
    opened = Services.open(load_service_config()) if services is None else services
    return mount_research(build_api(opened, [studies, history, research]), opened)
