"""The fixtures of accounts, and an application behind all walls with routes of its own to knock at."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from service.api import session, users
from service.api.application import build_api
from service.security import secure
from service.services import Services
from tests.service.accounts.conftest import browser, clock, person, quick_hashes

__all__ = ["browser", "clock", "person", "quick_hashes"]


def build_walled(services: Services) -> FastAPI:
    """Return an application with a few routes: a page, a file, one that reads its body, one that fails."""
    api = APIRouter()

    @api.post("/studies")
    @api.post("/echo")
    async def count(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @api.get("/kept")
    def kept() -> PlainTextResponse:
        return PlainTextResponse("slice", headers={"Cache-Control": "private, max-age=60"})

    @api.get("/broken")
    def broken() -> None:
        raise RuntimeError("a detail nobody should see")

    app = build_api(services, [session.router, users.router, api])

    @app.get("/login")
    @app.get("/worklist")
    def page() -> HTMLResponse:
        return HTMLResponse("<p>page</p>")

    @app.get("/static/site.css")
    def style() -> PlainTextResponse:
        return PlainTextResponse("")

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/research/gradio_api/queue/join")
    async def join(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    secure(app, services)
    return app


@pytest.fixture
def walled(services: Services) -> FastAPI:
    return build_walled(services)
