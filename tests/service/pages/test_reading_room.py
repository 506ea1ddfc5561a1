"""The reading room in headless Chromium, against the real routes: images, report, findings, decisions, sign-off.

With SPINESCRIBE_SCREENSHOT_DIR set to a folder the screen is pictured there in three sizes.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reporting.prior import compare_with_prior, prior_findings
from reporting.stored import read_findings
from service.accounts.actor import Actor
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import Job, JobState, StoredReading, Study, StudyReport, StudyStatus, User
from tests.service.conftest import add_study, add_user
from tests.service.pages.room import EVIL, add_pictures, served, sign_in

pytestmark = pytest.mark.browser
Call = Callable[..., Any]

ALERT = "To be looked at first: suspected spinal canal stenosis at L4-L5."
REFUSED = re.compile(r"status of (403|404|409)")
"""What the service refuses is told on the page; Chromium logs it as an error too."""
STENOSIS = "g75"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services = Services.open(ServiceConfig(home=tmp_path_factory.mktemp("home")))
    yield services
    services.database.close()


@pytest.fixture(scope="module")
def actors(opened: Services) -> dict[str, Actor]:
    return {"rad": add_user(opened, "rad", group="g"), "colleague": add_user(opened, "colleague", group="g")}


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


def _picture(page: Any, name: str) -> None:
    """Keep a picture where SPINESCRIBE_SCREENSHOT_DIR says so."""
    folder = os.environ.get("SPINESCRIBE_SCREENSHOT_DIR")
    if folder:
        page.screenshot(path=str(Path(folder) / f"reading-room-{name}.png"))


def _sentence(page: Any, words: str) -> Any:
    return page.locator(".sentence", has_text=words).first


def _type_at_end(page: Any, sentence: Any, words: str) -> None:
    sentence.locator(".text").click()
    page.keyboard.press("End")
    page.keyboard.type(words)


def _saved(page: Any) -> None:
    page.wait_for_function("() => document.querySelector('.save-state').textContent === 'Saved'")


def test_a_sentence_shows_where_it_lies(room: Any) -> None:
    viewer = room.locator("#viewer")
    room.wait_for_timeout(300)
    before = viewer.screenshot()
    _sentence(room, "right neural foraminal narrowing").locator(".text").click()
    room.wait_for_function("() => document.querySelector('.sv-active').dataset.slice !== '7'")
    assert viewer.screenshot() != before


def test_a_place_in_the_images_shows_its_sentences(room: Any) -> None:
    room.get_by_role("button", name="Level L4-L5").first.click()
    room.wait_for_selector(".sentence.lit")
    assert "L4-L5" in " ".join(room.locator(".sentence.lit").all_inner_texts())
    chip = room.get_by_role("button", name="Level L4-L5").first.bounding_box()
    room.mouse.click(chip["x"] - 70, chip["y"] + chip["height"] / 2)
    room.wait_for_selector("#current:not([hidden])")
    assert "L4-L5" in room.inner_text("#current")
    room.keyboard.press("a")
    room.wait_for_selector("#current .verdict-accept[aria-pressed=true]")


def test_a_decision_changes_the_report(room: Any) -> None:
    room.keyboard.press("j")
    room.click("#tab-findings")
    room.click("tr[data-finding=g78] .name")
    room.keyboard.press("e")
    room.locator(".choices button", has_text="severe").click()
    room.wait_for_selector("tr[data-finding=g78] del")
    assert "severe" in room.inner_text("tr[data-finding=g78] .grade")
    room.click("#tab-report")
    changed = room.locator(".sentence.changed")
    assert "evere" in " ".join(changed.all_inner_texts())
    changed.first.locator(".mark").click()
    room.wait_for_selector(".sentence-details q")
    room.click("#tab-findings")
    room.click("text=Undo decision")
    room.wait_for_selector("tr[data-finding=g78] del", state="detached")


def test_all_normal_findings_of_a_level_are_accepted_at_once(room: Any) -> None:
    room.click("#tab-findings")
    accept = room.get_by_role("button", name=re.compile(r"Accept \d+ normal findings of L3-L4"))
    accept.click()
    accept.wait_for(state="detached")
    assert "accepted" in room.locator("[data-fold='L3-L4 normal']").inner_text()


def test_keys_walk_through_findings_and_decide(room: Any) -> None:
    room.click("#tab-findings")
    room.click("[data-filter=undecided]")
    told = room.inner_text(".told")
    room.keyboard.press("j")
    room.keyboard.press("a")
    room.wait_for_function("old => document.querySelector('.told').textContent !== old", arg=told)
    room.keyboard.press("j")
    first = room.inner_text("tr[aria-current=true] .name")
    room.keyboard.press("j")
    assert room.inner_text("tr[aria-current=true] .name") != first
    room.keyboard.press("k")
    assert room.inner_text("tr[aria-current=true] .name") == first
    told = room.inner_text(".told")
    room.keyboard.press("r")
    room.wait_for_function("old => document.querySelector('.told').textContent !== old", arg=told)


def test_keys_of_the_images_and_their_list(room: Any) -> None:
    slice_now = "document.querySelector('.sv-active').dataset.slice"
    before = int(room.evaluate(slice_now))
    room.keyboard.press("]")
    assert int(room.evaluate(slice_now)) == before + 1
    room.keyboard.press("[")
    assert int(room.evaluate(slice_now)) == before
    outlines = room.get_by_role("button", name="Outlines of discs").first
    assert outlines.get_attribute("aria-pressed") == "true"
    room.keyboard.press("o")
    assert outlines.get_attribute("aria-pressed") == "false"
    room.keyboard.press("j")
    room.keyboard.press("g")
    room.get_by_text("No Grad-CAM: ").wait_for()
    room.keyboard.press("?")
    room.get_by_role("dialog", name="Keyboard").wait_for()
    room.get_by_label("Single keys are on").uncheck()
    room.keyboard.press("Escape")
    room.keyboard.press("o")
    assert outlines.get_attribute("aria-pressed") == "false"


def test_text_is_edited_saved_undone_and_survives_a_reload(room: Any) -> None:
    sentence = _sentence(room, "Possible change of both endplates")
    _type_at_end(room, sentence, " Seen by me.")
    assert "1 unsaved" in room.inner_text(".save-state")
    room.keyboard.press("Enter")
    room.keyboard.type(f"A new sentence {EVIL}.")
    room.keyboard.press("Control+s")
    _saved(room)
    assert _sentence(room, "Seen by me").locator(".mark-human").count() == 1
    room.keyboard.press("Escape")
    room.keyboard.press("Control+z")
    assert "unsaved" in room.inner_text(".save-state")
    room.keyboard.press("Control+Shift+z")
    _saved(room)
    _type_at_end(room, _sentence(room, "Seen by me"), " Unsaved.")
    room.on("dialog", lambda dialog: dialog.accept())
    room.reload()
    room.wait_for_selector(".sentence")
    assert "unsaved" in room.inner_text(".save-state")
    assert _sentence(room, "Seen by me. Unsaved.").count() == 1
    assert _sentence(room, EVIL).count() == 1
    _sentence(room, EVIL).hover()
    _sentence(room, EVIL).locator(".remove").click()
    room.keyboard.press("Escape")
    room.keyboard.press("s")
    _saved(room)
    assert _sentence(room, EVIL).count() == 0


def test_two_readers_lose_nothing(room: Any, api: Call) -> None:
    report = api("GET", "/report")
    sections = [
        {
            "name": section["name"],
            "sentences": [{"id": row["id"], "text": row["text"]} for row in section["sentences"]],
        }
        for section in report["sections"]
    ]
    findings = next(section for section in sections if section["name"] == "findings")["sentences"]
    findings[0]["text"] = "T12-L1: the colleague's own words."
    findings[3]["text"] = "The colleague's other sentence."
    _type_at_end(room, room.locator(f"[data-key='{findings[0]['id']}']"), " My own words.")
    api("PUT", "/report", {"version": report["version"], "sections": sections})
    room.keyboard.press("Control+s")
    dialog = room.get_by_role("dialog", name="This report was changed meanwhile")
    dialog.wait_for()
    assert "Dr colleague" in dialog.inner_text()
    assert "The colleague's other sentence." in dialog.inner_text()
    dialog.get_by_label("Keep both").check()
    dialog.get_by_role("button", name="Save the merged report").click()
    _saved(room)
    texts = [row["text"] for section in api("GET", "/report")["sections"] for row in section["sentences"]]
    assert "T12-L1: the colleague's own words." in texts
    assert "The colleague's other sentence." in texts
    assert any(text.endswith("My own words.") for text in texts)


def test_a_decision_upon_an_old_state_is_not_made(room: Any, api: Call) -> None:
    version = api("GET", "/report")["version"]
    api("POST", "/decisions", {"version": version, "finding_id": "g78", "verdict": "accept"})
    room.click("#tab-findings")
    room.get_by_role("button", name=re.compile("Reject L4-L5 neural foraminal")).first.click()
    room.get_by_text("Another reader changed this report").wait_for()
    found = next(item for item in api("GET", "/report")["findings"] if item["id"] == "g78")
    assert found["decision"]["verdict"] == "accept"


def test_sign_off_needs_everything_and_closes_the_text(room: Any, api: Call) -> None:
    assert room.locator("#sign").is_disabled()
    alert = room.get_by_role("alert").first
    assert ALERT in alert.inner_text()
    room.click(".blockers summary")
    room.locator(".blocker").first.click()
    room.wait_for_selector("tr[aria-current=true]")
    report = api("GET", "/report", user="rad")
    undecided = [item["id"] for item in report["findings"] if item["is_positive"]]
    api(
        "POST",
        "/decisions",
        {"version": report["version"], "finding_ids": undecided, "verdict": "accept"},
        user="rad",
    )
    room.reload()
    room.get_by_role("button", name=re.compile("^Acknowledge")).first.click()
    room.wait_for_selector("#alert.calm")
    room.click("#review")
    room.wait_for_selector("#sign:enabled")
    room.click("#sign")
    room.fill("#sign-password", "somebody else")
    room.keyboard.press("Enter")
    room.get_by_text("not signed: type").wait_for()
    room.fill("#sign-password", "rad")
    room.keyboard.press("Enter")
    room.wait_for_selector("#signed")
    assert "Dr rad" in room.inner_text("#signed")
    room.click("#tab-report")
    assert room.locator(".sentence [contenteditable]").count() == 0
    room.click("#amend")
    room.fill("#amend-reason", "a level was misnamed")
    room.click("text=Begin the amendment")
    room.wait_for_selector(".sentence [contenteditable]")
    assert room.inner_text("#report-status") == "Amended"


def test_exports_say_draft_until_signed(room: Any) -> None:
    room.click("#export summary")
    assert "every page says DRAFT" in room.inner_text("#export")
    with room.expect_download() as download:
        room.get_by_role("button", name="Markdown").click()
    assert "DRAFT" in Path(download.value.path()).read_text(encoding="utf-8").upper()


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


def test_the_machine_can_be_hidden_until_one_has_looked(
    room: Any, opened: Services, actors: dict[str, Actor]
) -> None:
    room.click("#hide-ai")
    room.wait_for_selector("#looked")
    assert not room.locator("#report-body").is_visible()
    assert room.get_by_role("alert").first.is_visible()
    with opened.database.read() as session:
        assert session.get(User, actors["rad"].user_id).preferences == {"hide_ai_until_first_look": True}  # type: ignore[union-attr]
    room.reload()
    room.click("#looked")
    assert room.locator("#report-body").is_visible()
    room.click("#hide-ai")
    room.wait_for_selector("#hide-ai[aria-pressed=false]")


def test_history_shows_what_changed(room: Any) -> None:
    _type_at_end(room, _sentence(room, "Possible change of both endplates"), " Added words.")
    room.keyboard.press("Control+s")
    _saved(room)
    room.keyboard.press("Escape")
    room.click("#tab-versions")
    room.wait_for_selector(".diff ins")
    assert "Added words." in room.inner_text(".diff ins")
    assert room.locator(".versions li").count() == 2


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
