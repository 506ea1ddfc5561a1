"""The research screens from outside: who comes in, and that Gradio serves no file of the service."""

import httpx
from fastapi import FastAPI
from starlette.routing import Mount

from service.screens.mount import mount_research
from service.services import Services
from tests.service.screens.conftest import Served


def get(served: Served, path: str, user: str = "") -> httpx.Response:
    return httpx.get(f"{served.address}{path}", cookies={"user": user} if user else {}, timeout=30)


def test_nobody_comes_in_without_a_sign_in(served: Served) -> None:
    for path in ("/research/", "/research/config", "/research/gradio_api/info", "/research/gradio_api/queue/data"):
        assert get(served, path).status_code == 401, path
    answer = httpx.post(f"{served.address}/research/gradio_api/upload", files={"files": ("a.csv", b"x")})
    assert answer.status_code == 401


def test_the_page_comes_to_who_is_signed_in_and_names_no_outside_address(served: Served) -> None:
    answer = get(served, "/research/", "rad")
    assert answer.status_code == 200
    config = get(served, "/research/config", "rad").json()
    assert config["analytics_enabled"] is False
    assert config["title"] == "SpineScribe research"


def test_gradio_serves_no_file_of_the_service(served: Served) -> None:
    home = served.services.config.home
    for file in (home / "spinescribe.sqlite", home / "secret.key"):
        for path in (f"/research/gradio_api/file={file}", f"/research/gradio_api/file/{file}"):
            assert get(served, path, "research").status_code in (403, 404), path


def test_gradio_looks_for_work_seldom(services: Services) -> None:
    """Its own pause is a millisecond, which costs a twentieth of a core."""
    app = mount_research(FastAPI(), services)
    mounted = next(route.app for route in app.routes if isinstance(route, Mount))
    assert mounted.get_blocks()._queue.sleep_when_free >= 0.05
