"""Every entry of the export menu, clicked: each gives the browser a file.

With SPINESCRIBE_SCREENSHOT_DIR set to a folder the open menu is pictured there in both themes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.accounts.actor import Actor
from service.services import Services
from service.store.tables import StoredReading
from tests.read_phantoms import ReadPhantom
from tests.service.export.kept import keep
from tests.service.pages.reading.room import add_pictures

pytestmark = pytest.mark.browser
STARTS = {"pdf": b"%PDF", "md": b"> **DRAFT", "html": b"<!doctype html>", "json": b"{"}
"""How the files begin; all others are zip archives, as DOCX is."""
ZIP = b"PK\x03\x04"
ENDINGS = {"pdf": ".pdf", "md": ".md", "html": ".html", "json": ".json", "docx": ".docx"}
SECONDS = 90


@pytest.fixture
def kept_room(
    tab: Any,
    address: str,
    opened: Services,
    actors: dict[str, Actor],
    phantoms: Callable[[str], ReadPhantom],
) -> Any:
    """Return the reading room of a study whose upload and label maps are kept."""
    study = keep(opened, actors["rad"], phantoms("sacroiliac"))
    with opened.database.begin() as session:
        add_pictures(opened, session, session.query(StoredReading).filter_by(study_id=study).one())
    tab.goto(f"{address}/read/{study}")
    tab.wait_for_selector("#export summary")
    return tab


def test_each_entry_gives_a_file(kept_room: Any) -> None:
    kept_room.click("#export summary")
    buttons = kept_room.locator("#export button")
    kinds = [buttons.nth(index).get_attribute("data-kind") for index in range(buttons.count())]
    assert len(kinds) == len(set(kinds)) == 13
    for kind in kinds:
        if kept_room.locator("#export").get_attribute("open") is None:  # it closes after each choice
            kept_room.click("#export summary")
        with kept_room.expect_download(timeout=SECONDS * 1000) as download:
            kept_room.click(f'#export button[data-kind="{kind}"]')
        name = download.value.suggested_filename
        assert name.startswith("report-draft-")
        assert name.endswith(ENDINGS.get(kind, ".zip"))
        assert Path(download.value.path()).read_bytes().startswith(STARTS.get(kind, ZIP)), kind
    assert kept_room.locator(".toast.danger").count() == 0


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_open_menu_is_whole_in_both_themes(room: Any, theme: str) -> None:
    room.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    room.click("#export summary")
    menu = room.locator("#export > .menu-items")
    box, size = menu.bounding_box(), room.viewport_size
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert menu.evaluate("menu => menu.scrollHeight <= menu.clientHeight"), "no entry is hidden"
    folder = os.environ.get("SPINESCRIBE_SCREENSHOT_DIR")
    if folder:
        room.screenshot(path=str(Path(folder) / f"export-menu-{theme}.png"))
