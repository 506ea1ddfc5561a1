"""The research screens on a real server: the API, a stand-in for the sign-in, and a worker without networks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from PIL import Image, ImageDraw

from service.accounts.actor import Actor
from service.api.application import build_api
from service.api.dependencies import ActorDep, ServicesDep
from service.api.research import router as research
from service.config import ServiceConfig
from service.jobs.embedded import embedded_worker
from service.screens.mount import mount_research
from service.services import Services
from service.store.words import Role
from service.studies.access import open_reading
from tests.service.conftest import add_user
from tests.service.jobs.fakes import FakeReader
from tests.service.serving import served_app

READER = "tests.service.screens.conftest:open_picture_reader"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; media-src 'self' blob: data:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; form-action 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'self'"
)
"""What Gradio 6.31 needs: its HTML component compiles its template (eval), its page sets a base."""

files = APIRouter()


@files.get("/readings/{reading_id}/files/{name}")
def reading_file(reading_id: str, name: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Stand for the route of the reading room."""
    with services.database.read() as session:
        reading = open_reading(session, actor, reading_id)
        file = next(item for item in reading.files if item.name == name)
        return Response(services.blobs.read(file.sha256), media_type=file.media_type)


class PictureReader(FakeReader):
    """Writes a picture that can be seen."""

    def read(self, source: Path, folder: Path, options: dict[str, Any]) -> Iterator[Any]:
        """Read as the fake does."""
        for event in super().read(source, folder, options):
            if isinstance(event, dict):
                picture = Image.new("L", (240, 320), 40)
                ImageDraw.Draw(picture).rectangle((90, 60, 150, 260), fill=170)
                picture.save(folder / "overlay.png")
            yield event


def open_picture_reader() -> PictureReader:
    return PictureReader()


def screens(services: Services, actors: dict[str, Actor]) -> FastAPI:
    """Return the application; the cookie ``user`` names who is signed in."""
    app = build_api(services, [research, files])

    @app.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Response:
        request.state.actor = actors.get(request.cookies.get("user", ""))
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return mount_research(app, services)


class Served:
    """A running server."""

    def __init__(self, services: Services, actors: dict[str, Actor], address: str) -> None:
        self.services, self.actors, self.address = services, actors, address


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the screens on a free port, with a worker."""
    before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
    services = Services.open(ServiceConfig(home=tmp_path_factory.mktemp("home")))
    actors = {
        "research": add_user(services, "research", Role.RESEARCHER, group="spine"),
        "rad": add_user(services, "rad", group="spine"),
    }
    with served_app(screens(services, actors)) as address, embedded_worker(services.config, reader=READER):
        yield Served(services, actors, address)
    services.close()
    shutil.rmtree(services.config.home, ignore_errors=True)
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
