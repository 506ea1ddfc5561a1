"""The web page in headless Chromium: upload, progress, overlay, edits, questions, downloads, errors.

With SPINESCRIBE_SCREENSHOT set to a file the page is pictured there (the README's picture is made so).
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.weights]

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the page on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, "SPINESCRIBE_PORT": str(port)}
    )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/healthz", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise AssertionError(f"app.py ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("app.py did not answer within two minutes")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 960}, accept_downloads=True)
        tab = context.new_page()
        outside: list[str] = []
        tab.on("request", lambda request: None if _is_local(request.url) else outside.append(request.url))
        tab.goto(address)
        yield tab
        assert outside == [], "the page asked for something outside"
        browser.close()


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def test_bad_upload_ends_in_one_sentence(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "not-a-picture.png"
    file.write_bytes(b"this is no picture")
    page.locator("input[type=file]").first.set_input_files(str(file))
    page.get_by_text("not-a-picture").first.wait_for(timeout=30_000)
    page.click("#read")
    page.wait_for_selector("#status .error", timeout=60_000)
    assert "not-a-picture.png" in page.inner_text("#status")
    assert "Traceback" not in page.inner_text("body")


def test_a_zip_of_dicom_becomes_a_draft(page, phantom_zip: Path) -> None:  # type: ignore[no-untyped-def]
    page.reload()
    page.locator("input[type=file]").first.set_input_files(str(phantom_zip))
    page.get_by_text(phantom_zip.stem).first.wait_for(timeout=30_000)
    page.click("#read")
    page.wait_for_selector("#status .bar", timeout=60_000)
    page.get_by_text("Draft ready").wait_for(timeout=180_000)
    draft = page.input_value("#draft textarea")
    assert "FINDINGS" in draft
    assert "L4-L5" in draft
    assert page.locator("#overlay img").count() == 1
    picture = os.environ.get("SPINESCRIBE_SCREENSHOT")
    if picture:
        page.wait_for_timeout(1500)
        page.screenshot(path=picture, full_page=True)


def test_the_layers_change_the_overlay(page) -> None:  # type: ignore[no-untyped-def]
    before = page.get_attribute("#overlay img", "src")
    page.locator("#layers input[type=checkbox]").first.uncheck()
    page.wait_for_function(
        "old => document.querySelector('#overlay img')?.src && document.querySelector('#overlay img').src !== old",
        arg=before, timeout=30_000,
    )  # fmt: skip


def test_grades_sentences_and_answers_are_there(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_role("tab", name="Grades").click()
    page.get_by_text("disc degeneration").first.wait_for(timeout=15_000)
    page.get_by_role("tab", name="Sentence check").click()
    assert page.locator("#sentences p").count() >= 4
    page.get_by_role("tab", name="Ask").click()
    page.fill("#question textarea", "What is at L4-L5?")
    page.press("#question textarea", "Enter")
    page.locator(".message.bot, [data-testid=bot]").first.wait_for(timeout=30_000)
    assert "L4-L5" in page.locator(".message.bot, [data-testid=bot]").first.inner_text()


def test_a_chosen_sentence_shows_where_it_lies(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_role("tab", name="Sentence check").click()
    before = page.get_attribute("#overlay img", "src")
    page.locator("#sentence input").click()
    page.get_by_role("option").first.click()
    page.wait_for_function(
        "old => document.querySelector('#overlay img')?.src && document.querySelector('#overlay img').src !== old",
        arg=before, timeout=30_000,
    )  # fmt: skip


def test_edits_reach_the_downloads(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page.get_by_role("tab", name="Draft report").click()
    page.fill("#draft textarea", "FINDINGS\nEdited by the radiologist.")
    page.click("#save")
    page.get_by_text("report-edited.md").first.wait_for(timeout=30_000)
    page.get_by_role("tab", name="Downloads").click()
    names = page.inner_text("#files")
    for stem in ("report", "reading", "overlay", "label_map"):
        assert stem in names
    with page.expect_download() as download:
        page.locator("#files a[download*='report-edited'], #files a[href*='report-edited']").first.click()
    saved = tmp_path / "edited.md"
    download.value.save_as(str(saved))
    text = saved.read_text(encoding="utf-8")
    assert "Edited by the radiologist." in text
    assert "Research use only" in text
