"""Fixtures every room shares: where the real data lie, a browser, one thread a process, the torchvision hook.

Drawn examples are the same for the same tests, and none fails by the clock of a busy machine (what hangs ends by
the limit of pytest-timeout), so that a commit passes or fails whenever it is tried.
``--hypothesis-profile search`` draws others each time.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from tests.built_phantoms import SHARED
from tests.read_phantoms import ReadPhantom, read_phantom

_ANY_CLOCK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _ANY_CLOCK, derandomize=True)
settings.register_profile("search", _ANY_CLOCK, max_examples=2000)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="spinescribe-tests-")
        if config.getoption("numprocesses", None):
            # The workers inherit it. With a thread a core in each they wait for each other: half as much again.
            os.environ.setdefault("OMP_NUM_THREADS", "1")
    allow_torchvision_on_cpu()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SHARED))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real data; skips, saying so, where it is not there."""
    folder = load_settings().data_dir
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real data at {folder} (SPINESCRIBE_DATA)")
    return folder


@pytest.fixture(scope="session")
def phantoms(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], ReadPhantom]:
    """Return what gives a generated study of a protocol with its reading by the shipped weights."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return cache(partial(read_phantom, shared=shared))


CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return headless Chromium, one a process (Playwright takes no second); skips, saying so, without one."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
