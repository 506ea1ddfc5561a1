"""The whole way of a study through the real service in headless Chromium, started as `make app` starts it.

Sign in, upload a zip of DICOM, watch it being read, look, edit, accept and reject, ask, sign, export, find it
again; at the end the log of all that is verified. With SPINESCRIBE_SCREENSHOT set to a file the room is pictured.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import free_port

pytestmark = [pytest.mark.browser, pytest.mark.weights]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long way to the sacrum"


@dataclass(frozen=True)
class Served:
    """A running service: its address and the variables under which other commands find it."""

    address: str
    environment: dict[str, str]

    def command(self, *words: str, given: str = "") -> str:
        """Run ``spinescribe`` against it and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            cwd=ROOT, env=self.environment, input=given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve on a free port, with a radiologist and an administrator."""
    port = free_port()
    home = tmp_path_factory.mktemp("service") / "home"
    environment = {**os.environ, "SPINESCRIBE_PORT": str(port), "SPINESCRIBE_HOME": str(home)}
    service = Served(f"http://127.0.0.1:{port}", environment)
    people = (("rita", "radiologist", "Dr Rita Brandt"), ("root", "administrator", "The keeper"))
    for name, role, shown in people:
        words = ("user", "add", name, "--role", role, "--display-name", shown, "--password-stdin")
        service.command(*words, given=f"{PASSWORD}\n")
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    try:
        _wait_until_healthy(f"{service.address}/healthz", server)
        yield service
    finally:
        server.terminate()
        server.wait(timeout=40)


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
def page(chromium: Any, served: Served) -> Iterator[Any]:
    """Return one tab for all tests: they are steps of one day. Nothing may leave the host."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    outside: list[str] = []
    errors: list[str] = []
    tab.on("request", lambda request: None if _is_local(request.url, served) else outside.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(served.address)
    yield tab
    assert outside == [], "the page asked for something outside"
    assert errors == [], "a script of the page failed"
    context.close()


def _is_local(url: str, served: Served) -> bool:
    return url.startswith((served.address, "data:", "blob:"))


def test_one_signs_in(page: Any) -> None:
    page.fill("#name", "rita")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url("**/worklist")


def test_a_zip_of_dicom_is_uploaded_and_read(page: Any, phantom_zip: Path) -> None:
    page.click("#open-upload")
    page.set_input_files("#upload-files", [phantom_zip])
    page.click("#send-upload")
    page.wait_for_selector("#upload", state="hidden")
    row = page.locator("#studies tbody tr").first
    row.locator("progress").wait_for()
    row.get_by_text("L4-L5").or_(row.get_by_text("Draft")).first.wait_for(timeout=180_000)
    row.locator(".study-link").click()
    page.wait_for_url("**/read/*")
    page.wait_for_selector(".sv [data-slice]")
    page.wait_for_selector(".sentence")


def test_the_reading_room_shows_the_draft_beside_the_images(page: Any) -> None:
    text = page.inner_text("#panels")
    assert "L4-L5" in text
    page.wait_for_selector(".sv-pane:nth-child(2)[data-painted^='S3/']")
    axial = page.locator(".sv-pane").nth(1)
    before = axial.get_attribute("data-slice")
    page.locator(".sentence:visible", has_text="L4-L5: Pfirrmann").first.locator(".text").click()
    page.wait_for_selector(f".sv-pane:nth-child(2):not([data-slice='{before}'])")
    page.wait_for_timeout(800)
    picture = os.environ.get("SPINESCRIBE_SCREENSHOT")
    if picture:
        page.screenshot(path=picture)
    assert page.locator("#sign").is_disabled()


def test_a_rejected_finding_leaves_the_report(page: Any) -> None:
    page.keyboard.press("Escape")
    page.click("#tab-findings")
    reject = page.get_by_role("button", name=re.compile("^Reject ")).first
    reject.click()
    page.locator("tr .verdict-reject[aria-pressed=true]").first.wait_for()


def test_words_are_edited_and_saved(page: Any) -> None:
    page.click("#tab-report")
    page.locator(".sentence:visible .text").first.click()
    page.keyboard.press("End")
    page.keyboard.type(" Looked at twice.")
    page.keyboard.press("Control+s")
    page.wait_for_function("() => document.querySelector('.save-state').textContent === 'Saved'")
    page.keyboard.press("Escape")


def test_a_question_is_answered_with_citations(page: Any) -> None:
    page.click("#tab-ask")
    page.fill("#question", "What is at L4-L5?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".answer .finding-chip")
    assert "L4-L5" in page.locator(".answer").last.inner_text()


def test_it_is_signed_when_every_finding_was_decided(page: Any) -> None:
    page.click("#tab-findings")
    page.click("[data-filter=undecided]")
    for _ in range(120):
        accept = page.locator("tr .verdict-accept[aria-pressed=false]:enabled")
        if accept.count() == 0:
            break
        told = page.inner_text(".told")
        accept.first.click()
        page.wait_for_function("old => document.querySelector('.told').textContent !== old", arg=told)
    for _ in range(10):
        acknowledge = page.get_by_role("button", name=re.compile("^Acknowledge"))
        if acknowledge.count() == 0:
            break
        acknowledge.first.click()
        page.wait_for_timeout(500)
    page.click("#review")
    page.wait_for_selector("#sign:enabled")
    page.click("#sign")
    page.fill("#sign-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#signed")
    assert "Dr Rita Brandt" in page.inner_text("#signed")


def test_the_signed_report_is_exported_without_draft(page: Any) -> None:
    page.click("#export summary")
    with page.expect_download() as download:
        page.locator("#export").get_by_role("button", name="PDF").click()
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(b"%PDF")
    page.click("#export summary")
    with page.expect_download() as download:
        page.locator("#export").get_by_role("button", name="Markdown").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert "Looked at twice." in text
    assert "Dr Rita Brandt" in text


def test_it_is_found_in_the_history(page: Any, served: Served) -> None:
    page.goto(f"{served.address}/history")
    page.get_by_text(re.compile("signed", re.IGNORECASE)).first.wait_for()
    page.locator("main a[href*='/read/']").first.wait_for()


def test_the_log_of_all_this_holds(served: Served) -> None:
    told = json.loads(served.command("audit", "verify", "--json"))
    assert told["intact"], told["message"]
    lines = [json.loads(line) for line in served.command("audit", "export").splitlines()]
    assert {"session.login", "study.upload", "reading.finish", "report.decide", "report.edit", "chat.ask"} <= {
        line["action"] for line in lines
    }
    assert [line["actor"] for line in lines if line["action"] in ("report.review", "report.sign")] == ["rita"] * 2
