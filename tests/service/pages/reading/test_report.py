"""The report editor: sentences and places, edits, two readers at once, history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.service.pages.reading.room import EVIL, saved, sentence_of, type_at_end

pytestmark = pytest.mark.browser
Call = Callable[..., Any]


def test_a_sentence_shows_where_it_lies(room: Any) -> None:
    viewer = room.locator("#viewer")
    room.wait_for_timeout(300)
    before = viewer.screenshot()
    sentence_of(room, "right neural foraminal narrowing").locator(".text").click()
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


def test_text_is_edited_saved_undone_and_survives_a_reload(room: Any) -> None:
    sentence = sentence_of(room, "Possible change of both endplates")
    type_at_end(room, sentence, " Seen by me.")
    assert "1 unsaved" in room.inner_text(".save-state")
    room.keyboard.press("Enter")
    room.keyboard.type(f"A new sentence {EVIL}.")
    room.keyboard.press("Control+s")
    saved(room)
    assert sentence_of(room, "Seen by me").locator(".mark-human").count() == 1
    room.keyboard.press("Escape")
    room.keyboard.press("Control+z")
    assert "unsaved" in room.inner_text(".save-state")
    room.keyboard.press("Control+Shift+z")
    saved(room)
    type_at_end(room, sentence_of(room, "Seen by me"), " Unsaved.")
    room.on("dialog", lambda dialog: dialog.accept())
    room.reload()
    room.wait_for_selector(".sentence")
    assert "unsaved" in room.inner_text(".save-state")
    assert sentence_of(room, "Seen by me. Unsaved.").count() == 1
    assert sentence_of(room, EVIL).count() == 1
    sentence_of(room, EVIL).hover()
    sentence_of(room, EVIL).locator(".remove").click()
    room.keyboard.press("Escape")
    room.keyboard.press("s")
    saved(room)
    assert sentence_of(room, EVIL).count() == 0


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
    type_at_end(room, room.locator(f"[data-key='{findings[0]['id']}']"), " My own words.")
    api("PUT", "/report", {"version": report["version"], "sections": sections})
    room.keyboard.press("Control+s")
    dialog = room.get_by_role("dialog", name="This report was changed meanwhile")
    dialog.wait_for()
    assert "Dr colleague" in dialog.inner_text()
    assert "The colleague's other sentence." in dialog.inner_text()
    dialog.get_by_label("Keep both").check()
    dialog.get_by_role("button", name="Save the merged report").click()
    saved(room)
    texts = [row["text"] for section in api("GET", "/report")["sections"] for row in section["sentences"]]
    assert "T12-L1: the colleague's own words." in texts
    assert "The colleague's other sentence." in texts
    assert any(text.endswith("My own words.") for text in texts)


MERGE = """async ([base, theirs, mine, choice]) => {
  const { differences, merge } = await import("/static/js/reading/merge.js");
  const side = (text) => [{ name: "findings", sentences: text.split(" ").filter((word) => word).map((word) => {
    const [id, words] = word.split("=");
    return { id: id || null, text: words };
  }) }];
  const sides = [base, theirs, mine].map(side);
  const told = (item) => `${item.id ?? ""}=${item.text}`;
  const merged = merge(...sides, () => choice)[0].sentences.map(told).join(" ");
  return [differences(...sides).map((item) => item.kind).join(" "), merged];
}"""


@pytest.mark.parametrize(
    ("theirs", "mine", "choice", "kinds", "merged"),
    [
        ("a=A b=B c=C", "a=A b=X c=C", "mine", "mine", "a=A b=X c=C"),
        ("a=A b=Y c=C", "a=A b=B c=X", "mine", "theirs mine", "a=A b=Y c=X"),
        ("a=A b=Y c=C", "a=A b=X c=C", "both", "both", "a=A b=Y =X c=C"),
        ("a=A b=Y c=C", "a=A b=Y c=C", "both", "", "a=A b=Y c=C"),
        ("a=A c=C", "a=A b=X c=C", "mine", "both", "a=A =X c=C"),
        ("a=A c=C", "a=A b=X c=C", "theirs", "both", "a=A c=C"),
        ("a=A c=C", "a=A b=B c=C", "mine", "theirs", "a=A c=C"),
        ("a=A b=Y c=C", "a=A c=C", "mine", "both", "a=A c=C"),
        ("a=A b=Y c=C", "a=A c=C", "both", "both", "a=A b=Y c=C"),
        ("n=N a=A b=B c=C", "=P a=A =Q =R b=B c=C", "mine", "theirs mine mine mine", "=P n=N a=A =Q =R b=B c=C"),
    ],
)
def test_merging_loses_nothing(merging: Any, theirs: str, mine: str, choice: str, kinds: str, merged: str) -> None:
    assert merging.evaluate(MERGE, ["a=A b=B c=C", theirs, mine, choice]) == [kinds, merged]


def test_history_shows_what_changed(room: Any) -> None:
    type_at_end(room, sentence_of(room, "Possible change of both endplates"), " Added words.")
    room.keyboard.press("Control+s")
    saved(room)
    room.keyboard.press("Escape")
    room.click("#tab-versions")
    room.wait_for_selector(".diff ins")
    assert "Added words." in room.inner_text(".diff ins")
    assert room.locator(".versions li").count() == 2
