"""Findings: decisions by button and by key, what follows from them, sign-off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from service.accounts.actor import Actor
from service.services import Services
from service.store.tables import User
from tests.service.pages.reading.room import ALERT

pytestmark = pytest.mark.browser
Call = Callable[..., Any]


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
