"""The manual's pictures: taken of phantoms in the running application, with a worker beside it.

Slow, and only where SPINESCRIBE_PICTURES names the folder to write to:
``SPINESCRIBE_PICTURES=docs/manual/images pytest -m browser tests/service/pages/test_pictures.py``.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.pages.conftest import PASSWORD, ROOT, WIDE, Site, serve, sign_in

FOLDER = os.environ.get("SPINESCRIBE_PICTURES")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.weights,
    pytest.mark.skipif(not FOLDER, reason="SPINESCRIBE_PICTURES names no folder"),
]

MOST_BYTES = 200_000
READ_MS = 600_000
SAMPLES = ("Lumbar", "Cervical", "Sacroiliac")


@pytest.fixture(scope="module")
def busy_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve with few studies, and a worker."""
    home = tmp_path_factory.mktemp("pictures") / "home"
    with serve(home, 0) as served:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPINESCRIBE_HOME": str(home)}
        worker = subprocess.Popen([sys.executable, "-m", "service.jobs"], cwd=ROOT, env=environment)
        try:
            yield served
        finally:
            worker.terminate()
            worker.wait(timeout=60)


@pytest.fixture(scope="module")
def tab(busy_site: Site, chromium: Any) -> Any:
    context = chromium.new_context(viewport=WIDE, base_url=busy_site.address, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(120_000)
    return page


def take(tab: Any, name: str) -> None:
    """Write a picture of the tab."""
    from PIL import Image

    tab.wait_for_timeout(600)
    shot = Image.open(io.BytesIO(tab.screenshot()))
    file = Path(FOLDER or "") / f"{name}.webp"
    for quality in (90, 80, 70):
        shot.save(file, quality=quality, method=6)
        if file.stat().st_size < MOST_BYTES:
            return
    raise AssertionError(f"{file} has {file.stat().st_size} bytes, more than {MOST_BYTES}")


def test_pictures_of_the_way_to_a_reading(tab: Any, picture: Path) -> None:
    tab.goto("/login")
    take(tab, "sign-in")
    sign_in(tab, "rita")
    for name in SAMPLES:
        tab.click("#samples summary")
        tab.get_by_role("button", name=name, exact=True).click()
        tab.locator("#studies").get_by_text(f"Sample, {name.lower()}").wait_for()
    row = tab.locator("#studies tr").filter(has_text="Sample, lumbar")
    row.get_by_text("Ready").wait_for(timeout=READ_MS)
    tab.locator("#studies progress").first.wait_for(timeout=120_000)
    take(tab, "worklist")
    tab.click("#open-upload")
    tab.set_input_files("#upload-files", [picture])
    tab.get_by_label("Label of phantom.png").fill("Phantom, one slice")
    tab.fill("#upload-spacing", "0.6")
    take(tab, "upload")
    tab.locator("#upload .actions [data-close]").click()


def test_pictures_of_the_reading_room(tab: Any) -> None:
    tab.get_by_role("link", name="Sample, lumbar").click()
    tab.wait_for_url("**/read/*")
    tab.locator("#reading").wait_for(timeout=120_000)
    tab.locator("#viewer canvas").first.wait_for(timeout=120_000)
    sentences = tab.locator('#report-body [role="textbox"]:visible')
    sentences.filter(has_text="L4-L5: ").first.click()
    take(tab, "reading-room")
    tab.get_by_role("tab", name="Ask").click()
    tab.fill("#question", "What is at L4-L5?")
    tab.press("#question", "Enter")
    tab.locator(".answer .finding-chip").first.wait_for(timeout=240_000)
    take(tab, "chat")
    _decide_all(tab)
    tab.reload()
    tab.locator("#review").click()
    tab.locator("#sign:not([disabled])").click()
    tab.fill("#sign-password", PASSWORD)
    take(tab, "sign")
    tab.get_by_role("dialog").get_by_role("button", name="Sign", exact=True).click()
    tab.locator("#signed").wait_for()


def _decide_all(tab: Any) -> None:
    """Accept every positive finding and acknowledge the critical ones, as the buttons do, in one go."""
    tab.evaluate(
        """async () => {
          const { api } = await import("/static/js/api.js");
          const path = `/studies/${document.getElementById("reading").dataset.studyId}`;
          let report = await api.get(`${path}/report`);
          for (const { id } of report.findings.filter((finding) => finding.is_positive && !finding.decision)) {
            const body = { version: report.version, finding_id: id, verdict: "accept" };
            report = await api.post(`${path}/decisions`, body);
          }
          for (const { id } of report.findings.filter((finding) => finding.is_critical && !finding.acknowledged)) {
            report = await api.post(`${path}/acknowledgements`, { version: report.version, finding_id: id });
          }
        }"""
    )


def test_pictures_of_history_and_administration(tab: Any) -> None:
    tab.goto("/history")
    tab.locator("#history tr").first.wait_for()
    take(tab, "history")
    tab.context.clear_cookies()
    sign_in(tab, "ada")
    tab.goto("/admin")
    tab.locator("#users tr").first.wait_for()
    take(tab, "admin")
    tab.goto("/audit")
    tab.click("#verify")
    tab.get_by_text("The chain holds").wait_for()
    take(tab, "audit")
