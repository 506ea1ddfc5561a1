"""The pages in headless Chromium: sign-in, worklist, keys, upload, progress, administration, audit, axe-core."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.pages.conftest import PASSWORD, TABLET, WIDE, Site, Watched, sign_in

pytestmark = pytest.mark.browser

Open = Callable[..., Watched]
ROWS = "#studies tbody tr"


def ready(tab: Any, path: str) -> None:
    """Open a page and wait until it has what it asks the API for."""
    tab.goto(path)
    tab.wait_for_load_state("networkidle")


def test_a_wrong_password_is_told_and_a_right_one_leads_back(open_tab: Open) -> None:
    watched = open_tab(None)
    tab, watched.expected = watched.tab, ["401"]
    tab.goto("/history?report=signed")
    assert tab.url.endswith("/login?next=%2Fhistory%3Freport%3Dsigned")
    tab.click("button[type=submit]")
    assert tab.inner_text("#sign-in-error") == "Type your user name."
    tab.fill("#name", "Rita")
    tab.fill("#password", "not this one at all")
    tab.press("#password", "Enter")
    tab.get_by_text("User name or password is wrong.").wait_for()
    assert tab.input_value("#password") == ""
    tab.fill("#password", PASSWORD)
    tab.press("#password", "Enter")
    tab.wait_for_url("**/history?report=signed")
    tab.get_by_text("Dr Rita Brandt").first.wait_for()


def test_signing_out_ends_the_session(open_tab: Open) -> None:
    tab = open_tab().tab
    tab.click(".account-menu summary")
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/login")
    tab.goto("/worklist")
    assert "/login" in tab.url


def test_the_worklist_is_ordered_by_urgency_and_shows_what_matters(open_tab: Open) -> None:
    tab = open_tab().tab
    tab.wait_for_selector(ROWS)
    first = tab.locator(ROWS).first.inner_text()
    assert "Critical" in first
    assert "Bench 3" in first
    assert "narrowed to 6.5 mm" in first
    assert tab.inner_text("#total") == "36 studies"
    assert tab.inner_text("#range") == "1 to 25 of 36"
    tab.click('[data-page="next"]')
    tab.get_by_text("26 to 36 of 36").wait_for()
    assert "offset=25" in tab.url


def test_hostile_labels_are_text(open_tab: Open) -> None:
    watched = open_tab()
    tab, watched.expected = watched.tab, ["404"]  # the stored reading has no images
    tab.goto("/worklist?search=onerror")
    link = tab.get_by_role("link", name="<img src=x onerror")
    link.wait_for()
    assert tab.locator("#studies img").count() == 0
    link.click()
    tab.wait_for_url("**/read/*")
    assert tab.title() != "1"


def test_filters_and_search_live_in_the_address(open_tab: Open) -> None:
    tab = open_tab().tab
    tab.wait_for_selector(ROWS)
    tab.select_option("#status", "failed")
    tab.get_by_text("1 study", exact=True).wait_for()
    assert tab.url.endswith("?status=failed")
    assert "longer than 900 s" in tab.inner_text(ROWS)
    tab.go_back()
    tab.get_by_text("36 studies").wait_for()
    assert tab.input_value("#status") == ""
    ready(tab, "/worklist?level=L4-L5&condition=spinal_canal_stenosis&report=signed&search=shared")
    assert tab.input_value("#condition") == "spinal_canal_stenosis"
    assert tab.input_value("#search") == "shared"
    tab.click("#clear-filters")
    tab.get_by_text("36 studies").wait_for()
    ready(tab, "/worklist?search=nothing-like-this&status=nonsense")
    tab.get_by_text("No study matches these filters.").wait_for()


def test_the_keyboard_is_enough(open_tab: Open) -> None:
    watched = open_tab()
    tab, watched.expected = watched.tab, ["404"]
    tab.wait_for_selector(ROWS)
    focused = "document.activeElement.textContent"
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate(focused) == "Bench 3"
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate(focused) != "Bench 3"
    time.sleep(2.5)
    assert tab.evaluate("document.activeElement.className") == "study-link", "a refresh must not take the focus"
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"
    tab.keyboard.type("bench")
    tab.get_by_text("1 study", exact=True).wait_for()
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate(focused) == "Bench 3"
    tab.keyboard.press("u")
    tab.wait_for_selector("#upload[open]")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#upload", state="hidden")
    tab.locator(".study-link").first.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/read/*")


def test_progress_comes_without_a_reload(open_tab: Open, site: Site) -> None:
    tab = open_tab().tab
    tab.goto("/worklist?order=newest")
    row = tab.locator(ROWS).filter(has_text="Being read")
    row.get_by_text("Next in the queue").wait_for()
    _as_worker(site, "state='running', stage='segment', fraction=0.4, message='Outlining structures'", "reading")
    row.get_by_text("Outlining structures 40").wait_for(timeout=8000)
    assert row.locator("progress").get_attribute("value") == "0.4"
    _as_worker(site, "state='queued', fraction=0, message=''", "queued")
    row.get_by_text("Next in the queue").wait_for(timeout=8000)


def _as_worker(site: Site, job: str, status: str) -> None:
    """Write what a worker would write of the only job."""
    with sqlite3.connect(site.home / "spinescribe.sqlite", timeout=20) as database:
        database.execute(f"UPDATE jobs SET {job} WHERE state IN ('queued', 'running')")
        database.execute("UPDATE studies SET status=? WHERE label='Being read'", (status,))
    database.close()


def test_studies_are_uploaded_several_at_once_renamed_cancelled_and_deleted(
    open_tab: Open, picture: Path, tmp_path: Path
) -> None:
    watched = open_tab()
    tab, watched.expected = watched.tab, ["415", "422"]
    bad = tmp_path / "notes.zip"
    bad.write_bytes(b"no zip at all")
    empty = tmp_path / "empty.nii"
    empty.touch()
    tab.click("#open-upload")
    assert tab.locator("#spacing-field").is_hidden()
    tab.set_input_files("#upload-files", [picture, bad, empty])
    assert tab.locator("#spacing-field").is_visible()
    assert tab.inner_text("#send-upload") == "Send 2 studies"
    tab.fill("#upload-spacing", "0.6")
    tab.get_by_label("Label of phantom.png").fill("From the browser")
    tab.click("#send-upload")
    tab.locator('.upload-item[data-state="accepted"]').wait_for()
    tab.locator('.upload-item[data-state="refused"]').wait_for()
    assert "The file is empty." in tab.inner_text('.upload-item[data-state="unfit"]')
    tab.locator("#upload .actions [data-close]").click()
    row = tab.locator(ROWS).filter(has_text="From the browser")
    ready(tab, "/worklist?order=newest")
    row.get_by_text("Queued").wait_for()
    row.get_by_role("button", name="Cancel").click()
    row.get_by_text("Cancelled").first.wait_for()
    row.get_by_role("button", name="Details").click()
    tab.fill("#study-label", "Renamed in the browser")
    tab.select_option("#study-group", label="Spine team")
    tab.click("#study-form button[type=submit]")
    row = tab.locator(ROWS).filter(has_text="Renamed in the browser")
    row.get_by_text("Spine team").wait_for()
    row.get_by_role("button", name="Details").click()
    tab.click("#delete-study")
    tab.get_by_role("button", name="Delete study").click()
    row.wait_for(state="detached")


def test_a_full_queue_is_waited_for(open_tab: Open, picture: Path) -> None:
    watched = open_tab()
    tab, watched.expected = watched.tab, ["429"]
    body = '{"error": {"code": "busy", "message": "200 studies wait already."}}'
    refused = {"status": 429, "body": body, "headers": {"Retry-After": "2", "Content-Type": "application/json"}}
    tab.route("**/api/v1/studies", lambda route: route.fulfill(**refused))
    tab.click("#open-upload")
    tab.set_input_files("#upload-files", [picture])
    tab.click("#send-upload")
    item = tab.locator(".upload-item")
    item.get_by_text("200 studies wait already.").wait_for()
    assert item.get_by_role("button", name="Send again").is_disabled()
    tab.unroute("**/api/v1/studies")
    item.get_by_text("send it again").wait_for(timeout=6000)
    assert item.get_by_role("button", name="Send again").is_enabled()


def test_an_ended_session_leads_to_the_sign_in_and_back(open_tab: Open) -> None:
    watched = open_tab()
    tab, watched.expected = watched.tab, ["401"]
    tab.wait_for_selector(ROWS)
    tab.context.clear_cookies()
    tab.select_option("#order", "newest")
    tab.wait_for_url("**/login?next=*")
    tab.fill("#name", "rita")
    tab.fill("#password", PASSWORD)
    tab.press("#password", "Enter")
    tab.wait_for_url("**/worklist?order=newest")


def test_an_administrator_adds_and_switches_off_a_user(open_tab: Open) -> None:
    watched = open_tab("ada")
    tab, watched.expected = watched.tab, ["422", "401"]
    ready(tab, "/admin")
    tab.fill("#group-name", "Night shift")
    tab.get_by_role("button", name="Add group").click()
    tab.locator("#groups").get_by_text("Night shift").wait_for()
    tab.click("#add-user")
    tab.fill("#user-name", "nils")
    tab.fill("#user-display", "Dr Nils Aas")
    tab.get_by_role("checkbox", name="Night shift").check()
    tab.fill("#user-password", "short")
    tab.get_by_role("button", name="Save").click()
    tab.locator("#user-form .error-words").filter(has_text="12").wait_for()
    tab.fill("#user-password", PASSWORD)
    tab.get_by_role("button", name="Save").click()
    row = tab.locator("#users tr").filter(has_text="Dr Nils Aas")
    row.get_by_text("Night shift").wait_for()
    sign_in(open_tab(None).tab, "nils")
    row.get_by_role("button", name="Change nils").click()
    tab.get_by_label("May sign in").uncheck()
    tab.get_by_role("button", name="Save").click()
    row.get_by_text("Switched off").wait_for()
    tab.get_by_role("button", name="Delete group Night shift").click()
    tab.get_by_role("dialog").get_by_role("button", name="Delete group").click()
    tab.locator("#groups").get_by_text("Night shift").wait_for(state="detached")


def test_the_audit_log_is_shown_and_verified(open_tab: Open) -> None:
    tab = open_tab("ada").tab
    ready(tab, "/audit")
    tab.locator("#lines").get_by_text("session.login").first.wait_for()
    tab.click("#verify")
    tab.get_by_text("The chain holds").wait_for()
    tab.fill("#action", "study.add")
    tab.press("#action", "Enter")
    tab.locator("#lines").get_by_text("session.login").first.wait_for(state="detached")
    assert "action=study.add" in tab.url


def test_theme_and_password_are_changed(open_tab: Open) -> None:
    watched = open_tab("otto")
    tab, watched.expected = watched.tab, ["403"]
    ready(tab, "/account")
    assert tab.inner_text("#own-groups") == "Spine team"
    tab.get_by_label("Light", exact=True).check()
    tab.get_by_text("Saved.").wait_for()
    ready(tab, "/account")
    assert tab.get_attribute("html", "data-theme") == "light"
    tab.get_by_label("Dark, as in reading rooms").check()
    tab.get_by_text("Saved.").wait_for()
    tab.fill("#current-password", "not the right one")
    tab.fill("#new-password", f"{PASSWORD} anew")
    tab.fill("#again-password", PASSWORD)
    tab.get_by_role("button", name="Change password").click()
    tab.get_by_text("are not the same").wait_for()
    tab.fill("#again-password", f"{PASSWORD} anew")
    tab.get_by_role("button", name="Change password").click()
    tab.get_by_text("The password is wrong").wait_for()
    tab.fill("#current-password", PASSWORD)
    tab.get_by_role("button", name="Change password").click()
    tab.get_by_text("The password is changed.").wait_for()
    sign_in(open_tab(None).tab, "otto", f"{PASSWORD} anew")


PAGES = (
    ("ada", ("/worklist", "/admin", "/audit")),
    ("rita", ("/worklist", "/worklist?search=none-such", "/history", "/account", "/manual/worklist", "/admin")),
    (None, ("/login",)),
)


def test_every_page_is_accessible_and_fits(open_tab: Open) -> None:
    for user, paths in PAGES:
        watched = open_tab(user)
        watched.expected = ["403"]
        for path in paths:
            ready(watched.tab, path)
            _check(watched.tab, path)
            watched.tab.evaluate("document.documentElement.dataset.theme = 'light'")
            _check(watched.tab, f"{path}, light")
            watched.tab.set_viewport_size(TABLET)
            _check_width(watched.tab, f"{path}, on a tablet")
            watched.tab.set_viewport_size(WIDE)


def test_dialogs_are_accessible(open_tab: Open, picture: Path) -> None:
    tab = open_tab("ada").tab
    tab.wait_for_selector(ROWS)
    tab.locator(ROWS).first.get_by_role("button", name="Details").click()
    _check(tab, "details")
    tab.locator("#study .actions [data-close]").click()
    tab.click("#open-upload")
    tab.set_input_files("#upload-files", [picture])
    _check(tab, "upload")
    ready(tab, "/admin")
    tab.click("#add-user")
    _check(tab, "user")


def _check(tab: Any, what: str) -> None:
    """Run axe-core, and see that nothing reaches beyond the right edge."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab)
    assert found.violations_count == 0, f"{what}: {found.generate_report()}"
    _check_width(tab, what)


def _check_width(tab: Any, what: str) -> None:
    wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{what} is {wider} px too wide"
