"""The rest of the screen: exports, questions, comparison, several readings, waiting, access for all.

With SPINESCRIBE_SCREENSHOT_DIR set to a folder the screen is pictured there in three sizes.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reporting.prior import compare_with_prior, prior_findings
from reporting.stored import read_findings
from service.accounts.actor import Actor
from service.services import Services
from service.store.tables import Job, StoredReading, Study, StudyReport
from service.store.words import JobState, StudyStatus
from tests.service.conftest import add_study
from tests.service.pages.reading.room import EVIL, STENOSIS, add_pictures

pytestmark = pytest.mark.browser
Call = Callable[..., Any]


def test_exports_say_draft_until_signed(room: Any) -> None:
    room.click("#export summary")
    assert "every page says DRAFT" in room.inner_text("#export")
    with room.expect_download() as download:
        room.get_by_role("button", name="Markdown").click()
    assert "DRAFT" in Path(download.value.path()).read_text(encoding="utf-8").upper()


def test_the_export_menu_is_worked_by_keys_and_says_what_each_format_is(room: Any) -> None:
    room.focus("#export summary")
    room.keyboard.press("Enter")
    buttons = room.locator("#export button")
    assert [buttons.nth(index).get_attribute("data-kind") for index in range(buttons.count())] == [
        "pdf", "docx", "html", "md", "seg", "sr", "dicom-pdf", "key-images", "fhir", "csv", "bids", "json", "all",
    ]  # fmt: skip
    assert room.locator("#export [aria-disabled]").count() == 0
    segmentation = room.get_by_role("button", name="Segmentation (SEG)")
    note = segmentation.get_attribute("aria-describedby")
    assert "vertebrae, discs and canal" in room.inner_text(f"#{note}")
    assert room.get_by_role("region", name="DICOM for the PACS, as zip").count() == 1
    _picture(room, "export")
    room.keyboard.press("Tab")
    assert room.evaluate("document.activeElement.dataset.kind") == "pdf"
    with room.expect_download() as download:
        room.get_by_role("button", name="JSON with all versions").press("Enter")
    assert download.value.suggested_filename.startswith("report-draft-")
    assert download.value.suggested_filename.endswith(".json")
    room.keyboard.press("Escape")
    assert room.locator("#export").get_attribute("open") is None


def test_an_export_that_is_refused_says_why(room: Any) -> None:
    room.click("#export summary")
    room.get_by_role("button", name="Segmentation (SEG)").click()
    room.wait_for_selector("text=the study's images are not kept any more")


def test_a_picture_leaves_no_dicom_and_the_menu_says_why(
    tab: Any, address: str, opened: Services, actors: dict[str, Actor], document: dict[str, Any]
) -> None:
    picture = document | {"study": document["study"] | {"source": "picture"}}
    with opened.database.begin() as session:
        row, reading = add_study(session, actors["rad"], picture)
        add_pictures(opened, session, reading)
        study_id = row.id
    tab.goto(f"{address}/read/{study_id}")
    tab.wait_for_selector("#export summary")
    tab.click("#export summary")
    off = tab.locator('#export [aria-disabled="true"]')
    assert [off.nth(index).get_attribute("data-kind") for index in range(off.count())] == [
        "seg", "sr", "dicom-pdf", "key-images",
    ]  # fmt: skip
    assert "it is no DICOM" in tab.inner_text("#export-seg-note")
    _picture(tab, "export-picture")
    off.first.click(force=True)
    tab.wait_for_selector(".toast.warn")
    assert "this study was read from another kind of file" in tab.inner_text(".toast.warn")
    tab.set_viewport_size({"width": 390, "height": 844})
    _picture(tab, "export-phone")
    menu = tab.locator("#export > .menu-items").bounding_box()
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= 390


def test_questions_are_answered_with_citations(room: Any) -> None:
    room.click("#tab-ask")
    room.fill("#question", "What is at L4-L5?")
    room.keyboard.press("Enter")
    room.wait_for_selector(".answer .finding-chip")
    assert "L4-L5" in room.inner_text(".answer")
    room.locator(".answer .finding-chip[data-finding]").first.click()
    room.wait_for_selector("#current:not([hidden])")
    room.fill("#question", f"Does the patient have a tumour of the kidney? {EVIL}")
    room.keyboard.press("Enter")
    room.wait_for_selector(".answer.refused")
    assert EVIL in room.locator(".asked").last.inner_text()


def test_what_changed_since_the_earlier_study(
    tab: Any,
    address: str,
    opened: Services,
    actors: dict[str, Actor],
    document: dict[str, Any],
    critical: dict[str, Any],
) -> None:
    earlier = copy.deepcopy(document)
    grade = next(item for item in earlier["grades"] if item["id"] == STENOSIS)
    shares = {"normal_mild": 0.9, "moderate": 0.08, "severe": 0.02}
    grade.update(grade="normal_mild", probabilities=shares, prediction_set=["normal_mild"])
    compared = compare_with_prior(
        read_findings(critical), prior_findings(earlier, protocol="lumbar", name="prior")
    )
    with opened.database.begin() as session:
        before, _reading = add_study(session, actors["rad"], earlier)
        followed = critical | {"comparison": compared.to_dict()}
        row, _reading = add_study(session, actors["rad"], followed, prior_study_id=before.id)
        study_id = row.id
    tab.goto(f"{address}/read/{study_id}")
    tab.click("#tab-compare")
    row_of_stenosis = tab.locator(".changes tbody tr", has_text="spinal canal stenosis").first
    assert "severe" in row_of_stenosis.inner_text()
    assert "new" in row_of_stenosis.inner_text()
    shown = tab.locator(".changes tbody tr").count()
    tab.click("text=Unchanged too")
    assert tab.locator(".changes tbody tr").count() > shown
    _picture(tab, "compare")


def test_two_readings_stand_side_by_side(
    tab: Any, address: str, opened: Services, study: str, critical: Any
) -> None:
    other = copy.deepcopy(critical)
    other["report"]["sections"][1]["sentences"][0]["text"] = "T12-L1: worded otherwise."
    with opened.database.begin() as session:
        job = Job(study_id=study, state=JobState.DONE.value)
        session.add(job)
        session.flush()
        session.add(StoredReading(study_id=study, job_id=job.id, writer="composer", document=other))
    tab.goto(f"{address}/read/{study}")
    tab.click("#tab-models")
    tab.wait_for_selector("tr.differs")
    assert "worded otherwise" in tab.inner_text("tr.differs")
    assert tab.locator("tr.differs").count() == 1
    tab.click("button.base")
    tab.get_by_text("version 2").wait_for()
    tab.click("#tab-report")
    tab.locator(".sentence", has_text="T12-L1: worded otherwise.").wait_for()


def test_a_confirmed_level_has_the_study_read_again(room: Any, opened: Services, study: str) -> None:
    room.click("#tab-models")
    room.select_option("#marked-level", "L4-L5")
    room.select_option("#right-level", "L5-S1")
    room.click("#confirm-level")
    room.get_by_text("Waiting for a worker").wait_for()
    with opened.database.begin() as session:
        job = session.query(Job).filter_by(study_id=study, state=JobState.QUEUED.value).one()
        assert re.fullmatch(r"L5-S1=\d+,\d+", job.options["anchor"])
        job.state = JobState.CANCELLED.value


def test_a_study_that_is_being_read_opens_by_itself(
    tab: Any, address: str, opened: Services, actors: dict[str, Actor], critical: dict[str, Any]
) -> None:
    with opened.database.begin() as session:
        row = Study(
            owner_id=actors["rad"].user_id, label="soon", status=StudyStatus.READING.value, upload_sha256="0" * 64
        )
        session.add(row)
        session.flush()
        job = Job(
            study_id=row.id, state=JobState.RUNNING.value, stage="grading", fraction=0.4, message="grading discs"
        )
        session.add(job)
        session.flush()
        study_id, job_id = row.id, job.id
    tab.goto(f"{address}/read/{study_id}")
    tab.get_by_text("grading discs").wait_for()
    with opened.database.begin() as session:
        found, done = session.get(Study, study_id), session.get(Job, job_id)
        assert found is not None
        assert done is not None
        found.status, done.state = StudyStatus.READY.value, JobState.DONE.value
        reading = StoredReading(study_id=study_id, job_id=job_id, document=critical)
        session.add(reading)
        session.flush()
        add_pictures(opened, session, reading)
        sections = critical["report"]["sections"]
        session.add(StudyReport(study_id=study_id, reading_id=reading.id, proposed=sections, current=sections))
    tab.wait_for_selector(".sentence")


@pytest.mark.parametrize("size", [(1366, 768), (1024, 768), (768, 1024)])
def test_nothing_is_in_the_way_of_anybody(room: Any, size: tuple[int, int]) -> None:
    """Axe finds nothing serious, and nothing is wider than the screen."""
    from axe_playwright_python.sync_playwright import Axe

    room.set_viewport_size({"width": size[0], "height": size[1]})
    for name in ("report", "findings", "ask", "versions", "models"):
        room.click(f"#tab-{name}")
        if name == "findings":
            room.keyboard.press("j")
        room.wait_for_timeout(200)
        _picture(room, f"{size[0]}-{name}")
        if size[0] == 1366 or name == "findings":
            assert _serious(Axe().run(room).response["violations"]) == []
        assert room.evaluate("document.documentElement.scrollWidth") <= size[0]


def _serious(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{item['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for item in violations
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:4]
    ]


def _picture(page: Any, name: str) -> None:
    """Keep a picture where SPINESCRIBE_SCREENSHOT_DIR says so."""
    folder = os.environ.get("SPINESCRIBE_SCREENSHOT_DIR")
    if folder:
        page.screenshot(path=str(Path(folder) / f"reading-room-{name}.png"))
