"""A served copy of the pages and signed-in tabs of headless Chromium.

A tab fails its test on a console error it was not told to expect, on a script error, and on any request that would
leave this machine.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import free_port

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "four words of phantom"
WIDE = {"width": 1366, "height": 768}
TABLET = {"width": 768, "height": 1024}


@dataclass(frozen=True)
class Site:
    """A served copy.

    Attributes:
        address: Where it is.
        home: Its folder, with the database.
    """

    address: str
    home: Path


@dataclass
class Watched:
    """A tab and what went wrong in it.

    Attributes:
        tab: Playwright's page.
        expected: Parts of console errors that are no fault, such as a refused password.
        faults: What went wrong.
    """

    tab: Any
    expected: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        """Return the faults that were not foreseen."""
        return [fault for fault in self.faults if not any(part in fault for part in self.expected)]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the pages with many studies; no worker runs."""
    with serve(tmp_path_factory.mktemp("pages") / "home", 31) as served:
        yield served


@contextmanager
def serve(home: Path, count: int) -> Iterator[Site]:
    """Serve the application on a free port; ``count`` more studies than the few."""
    port = free_port()
    command = [sys.executable, "-m", "tests.service.pages.serve", str(home), str(port), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/static/css/base.css", server)
        yield Site(f"http://127.0.0.1:{port}", home)
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise AssertionError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server did not answer within a minute")


@pytest.fixture
def open_tab(chromium: Any, site: Site) -> Iterator[Callable[..., Watched]]:
    """Return a function (user, size) -> watched tab; user None is signed in nowhere."""
    opened: list[Watched] = []

    def build(user: str | None = "rita", size: dict[str, int] = WIDE) -> Watched:
        context = chromium.new_context(viewport=size, accept_downloads=True, base_url=site.address, locale="en-GB")
        watched = Watched(context.new_page())
        _watch(watched, site)
        opened.append(watched)
        if user is not None:
            sign_in(watched.tab, user)
        return watched

    yield build
    for watched in opened:
        watched.tab.context.close()
    assert [fault for watched in opened for fault in watched.unexpected()] == []


def _watch(watched: Watched, site: Site) -> None:
    tab, faults = watched.tab, watched.faults
    tab.on("console", lambda told: faults.append(f"console: {told.text}") if told.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(f"script: {error}"))
    allowed = (site.address, "data:", "blob:")
    tab.on("request", lambda asked: None if asked.url.startswith(allowed) else faults.append(f"left: {asked.url}"))


def sign_in(tab: Any, user: str, password: str = PASSWORD) -> None:
    """Sign in on the sign-in page and wait for the page after it."""
    tab.goto("/login")
    tab.fill("#name", user)
    tab.fill("#password", password)
    tab.click("button[type=submit]")
    tab.wait_for_url("**/worklist")


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a grey picture to upload: nothing reads it."""
    from PIL import Image

    file = tmp_path_factory.mktemp("picture") / "phantom.png"
    Image.linear_gradient("L").save(file)
    return file
