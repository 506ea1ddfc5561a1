"""A served reading room, tabs of headless Chromium in which nothing goes wrong unseen, studies to read."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.accounts.actor import Actor
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import User
from tests.service.conftest import add_study, add_user
from tests.service.pages.reading.room import ALERT, EVIL, STENOSIS, add_pictures, served, sign_in

Call = Callable[..., Any]
REFUSED = re.compile(r"status of (403|404|409|422)")
"""What the service refuses is told on the page; Chromium logs it as an error too."""


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services = Services.open(ServiceConfig(home=tmp_path_factory.mktemp("home")))
    yield services
    services.database.close()


@pytest.fixture(scope="session")
def actors(opened: Services) -> dict[str, Actor]:
    return {"rad": add_user(opened, "rad", group="g"), "colleague": add_user(opened, "colleague", group="g")}


@pytest.fixture(scope="session")
def address(opened: Services, actors: dict[str, Actor]) -> Iterator[str]:
    with served(opened) as found:
        yield found


@pytest.fixture
def tab(chromium: Any, address: str, opened: Services, actors: dict[str, Actor]) -> Iterator[Any]:
    """Return a fresh tab of a radiologist; nothing may go wrong in it unseen, and nothing may leave the host."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
    context.add_cookies([sign_in(opened, actors["rad"].user_id, address)[0]])
    page = context.new_page()
    page.set_default_timeout(15_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on("request", lambda request: None if _is_local(request.url, address) else wrong.append(request.url))
    yield page
    assert page.evaluate("window.wasFooled") is None, "text was run as a script"
    assert wrong == []
    context.close()


def _is_wrong(message: Any) -> bool:
    return message.type in ("error", "warning") and not REFUSED.search(message.text)


def _is_local(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))


@pytest.fixture(scope="session")
def critical(document: dict[str, Any]) -> dict[str, Any]:
    """Return the reading with a severe stenosis of the canal, which is critical."""
    changed = copy.deepcopy(document)
    grade = next(item for item in changed["grades"] if item["id"] == STENOSIS)
    shares = {"normal_mild": 0.02, "moderate": 0.08, "severe": 0.9}
    grade.update(grade="severe", probabilities=shares, prediction_set=["severe"])
    return changed


@pytest.fixture
def study(opened: Services, actors: dict[str, Actor], critical: dict[str, Any]) -> str:
    """Return a new study of the group, with its reading, its pictures and its draft."""
    with opened.database.begin() as session:
        row, reading = add_study(session, actors["rad"], critical, is_critical=True, alert=ALERT)
        row.group_id = session.get(User, actors["rad"].user_id).groups[0].id  # type: ignore[union-attr]
        row.label = f"phantom {EVIL}"
        add_pictures(opened, session, reading)
        return row.id


@pytest.fixture(scope="session")
def merging(chromium: Any, address: str) -> Iterator[Any]:
    """Return a tab in which modules of the page can be loaded."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/login")
    yield page
    context.close()


@pytest.fixture
def room(tab: Any, address: str, study: str) -> Any:
    tab.goto(f"{address}/read/{study}")
    tab.wait_for_selector(".sv [data-slice]")
    return tab


@pytest.fixture
def api(address: str, study: str, chromium: Any, opened: Services, actors: dict[str, Actor]) -> Iterator[Call]:
    """Return a function (method, path, body, user) -> answer of the service about the study."""
    contexts = []

    def call(method: str, path: str, body: Any = None, user: str = "colleague") -> Any:
        context = chromium.new_context()
        contexts.append(context)
        cookie, csrf = sign_in(opened, actors[user].user_id, address)
        context.add_cookies([cookie])
        url = f"{address}/api/v1/studies/{study}{path}"
        answer = context.request.fetch(url, method=method, data=body, headers={"X-CSRF-Token": csrf})
        assert answer.ok, answer.text()
        return answer.json()

    yield call
    for context in contexts:
        context.close()
