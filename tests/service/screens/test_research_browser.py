"""The research screens in headless Chromium: evaluate, look at corrections, read a picture.

With SPINESCRIBE_SCREENSHOTS set to a folder the screens are pictured there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.store.tables import Study
from tests.service.jobs.fakes import picture
from tests.service.research.conftest import add_signed
from tests.service.research.test_evaluations import GRADES
from tests.service.screens.conftest import Served

pytestmark = pytest.mark.browser

WAIT_MS = 120_000
EVIL = "${1+1}<img src=x onerror=alert(1)>"
"""An id that Gradio's templates or the browser would run."""


@pytest.fixture(scope="module")
def open_page(chromium: Any, served: Served) -> Iterator[Callable[[str], Any]]:
    """Return a function (user) -> a page of the screens; no page may ask for anything outside."""
    outside: list[str] = []
    contexts: list[Any] = []

    def build(user: str) -> Any:
        context = chromium.new_context(viewport={"width": 1366, "height": 768})
        contexts.append(context)
        context.add_cookies([{"name": "user", "value": user, "url": served.address}])
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: outside.append(request.url) if _is_outside(request.url) else None)
        page.goto(f"{served.address}/research/")
        page.get_by_role("tab", name="Evaluate").wait_for()
        return page

    yield build
    for context in contexts:
        context.close()
    assert outside == [], "the screens asked for something outside"


def _is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))


def see(page: Any, table: str, text: str) -> None:
    """Wait for a cell; Gradio keeps hidden copies of some to measure the columns."""
    page.locator(table).get_by_text(text, exact=True).locator("visible=true").first.wait_for()


def shoot(page: Any, name: str) -> None:
    folder = os.environ.get("SPINESCRIBE_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1000)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_researcher_evaluates_and_sees_figures_and_plots(
    open_page: Callable[[str], Any], tmp_path: Path
) -> None:
    page = open_page("research")
    page.locator("#task input").click()
    page.get_by_role("option", name="grading").click()
    for side in ("predictions", "references"):
        file = tmp_path / f"{side}.csv"
        file.write_text(GRADES)
        page.locator(f"#{side} input[type=file]").set_input_files(str(file))
        page.locator(f"#{side}").get_by_text(side).last.wait_for()
    page.click("#evaluate")
    page.locator("#evaluation-status").get_by_text("grading: done").wait_for()
    see(page, "#figures", "quadratic_kappa")
    plot = page.locator("#plots img").first
    plot.wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('#plots img')].every(i => i.naturalWidth > 0)")
    with page.expect_download() as download:
        page.locator("#evaluation-files").get_by_text("report.html").click()
    assert "Evaluation" in Path(download.value.path()).read_text(encoding="utf-8")
    shoot(page, "research-evaluate")


def test_the_words_of_the_suite_reach_the_screen(open_page: Callable[[str], Any], tmp_path: Path) -> None:
    page = open_page("research")
    for side, text in (("predictions", f"id,text\n{EVIL},Bulge.\n"), ("references", "id,text\nb,Bulge.\n")):
        file = tmp_path / f"{side}.csv"
        file.write_text(text)
        page.locator(f"#{side} input[type=file]").set_input_files(str(file))
        page.locator(f"#{side}").get_by_text(side).last.wait_for()
    page.click("#evaluate")
    page.wait_for_selector("#evaluation-status .error")
    told = page.inner_text("#evaluation-status")
    assert "not in references.csv" in told
    assert EVIL in told


def test_a_picture_is_read_and_stays_with_the_user(
    open_page: Callable[[str], Any], served: Served, tmp_path: Path
) -> None:
    page = open_page("rad")
    page.get_by_role("tab", name="Try a picture").click()
    file = tmp_path / "Jane Miller.png"
    file.write_bytes(picture(seconds=1.0))
    page.locator("#picture input[type=file]").set_input_files(str(file))
    page.locator("#picture").get_by_text("Jane Miller").first.wait_for()
    page.click("#read")
    page.get_by_text("Draft ready.").wait_for()
    page.wait_for_function("() => document.querySelector('#overlay img')?.naturalWidth === 240")
    assert page.locator("#draft p").count() > 10
    shoot(page, "research-picture")
    page.get_by_role("tab", name="Grades").click()
    page.locator("#grades").get_by_text("disc degeneration").first.wait_for()
    with served.services.database.read() as session:
        study = session.query(Study).one()
    assert study.owner_id == served.actors["rad"].user_id
    assert "Miller" not in study.label
    assert page.get_attribute("#room a", "href") == f"/read/{study.id}"
    kept = [item for item in (served.services.config.work_dir / "gradio").rglob("*") if item.is_file()]
    assert [item.name for item in kept if item.suffix == ".png"] == []


def test_a_bad_upload_ends_in_one_sentence(open_page: Callable[[str], Any], tmp_path: Path) -> None:
    page = open_page("rad")
    page.get_by_role("tab", name="Try a picture").click()
    file = tmp_path / "text.png"
    file.write_bytes(b"this is no picture")
    page.locator("#picture input[type=file]").set_input_files(str(file))
    page.locator("#picture").get_by_text("text").first.wait_for()
    page.click("#read")
    page.wait_for_selector("#status .error")
    assert "expected" in page.inner_text("#status")


def test_who_is_no_researcher_is_told_so(open_page: Callable[[str], Any]) -> None:
    page = open_page("rad")
    page.get_by_role("tab", name="Corrections").click()
    page.click("#count")
    page.wait_for_selector("#corrections-status .error")
    assert "takes the role researcher" in page.inner_text("#corrections-status")


def test_a_researcher_looks_at_corrections(
    open_page: Callable[[str], Any], served: Served, document: dict[str, Any]
) -> None:
    group = next(iter(served.actors["rad"].group_ids))
    edits = {0: "T12-L1: normal disc.", 1: "Mrs Miller has no endplate change.", 2: None}
    add_signed(served.services, document, served.actors["rad"], edits, group_id=group)
    page = open_page("research")
    page.get_by_role("tab", name="Corrections").click()
    page.click("#count")
    page.get_by_text("1 signed reports: 3 decided findings, 2 changed sentences, 1 sentences").wait_for()
    see(page, "#lines", "T12-L1: normal disc.")
    assert "Miller" not in page.inner_text("body")
    assert page.locator("#corrections-files a").count() == 3
    shoot(page, "research-corrections")
