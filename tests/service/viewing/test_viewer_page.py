"""The viewer in headless Chromium, alone on a page with a strict policy: pixels, events, keys, accessibility.

With SPINESCRIBE_SCREENSHOT_DIR set the page is pictured there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.config import ServiceConfig
from service.services import Services
from service.viewing.saliency import SALIENCY, heat_png, saliency_file
from tests.service.conftest import add_user
from tests.service.serving import served_app
from tests.service.viewing.bare_page import bare_app, keep_reading
from tests.service.viewing.made import MIDDLE, SLICES, made_reading

pytestmark = pytest.mark.browser

STAGE = ".sv-stage"
SUM = """async (number) => {
  await new Promise((done) => setTimeout(done, 300));
  const canvas = document.querySelectorAll('.sv-canvas')[number];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let index = 0; index < data.length; index += 1) sum = (sum * 31 + data[index]) % 4294967291;
  return sum;
}"""
GREY = """([x, y]) => {
  const canvas = document.querySelector('.sv-canvas');
  const ratio = window.devicePixelRatio;
  return Array.from(canvas.getContext('2d').getImageData(x * ratio, y * ratio, 1, 1).data);
}"""
PLAIN = "viewer.setLayers({structures: false, boxes: false, names: false, measurements: false})"
LAYERS = "structures: true, fill: false, boxes: true, names: true, measurements: false, opacity: 0.7, heat: null"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the page with a made-up reading and yield its address."""
    services = Services.open(ServiceConfig(home=tmp_path_factory.mktemp("viewer")))
    actor = add_user(services, "rad")
    heat = np.zeros((240, 160), dtype=np.float32)
    heat[120:180, 40:90] = 1.0
    index = {"maps": {"g14": {"series": "S1", "slice": MIDDLE}}, "reasons": {}}
    extra = {saliency_file("g14"): heat_png(heat), SALIENCY: json.dumps(index).encode()}
    rid = keep_reading(services, actor, made_reading(), extra)
    with served_app(bare_app(services, actor, rid)) as url:
        yield url
    services.database.close()


@pytest.fixture(scope="module")
def page(chromium: Any, address: str) -> Iterator[Any]:
    tab = chromium.new_page(viewport={"width": 1366, "height": 768})
    faults: list[str] = []
    tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("request", lambda one: None if one.url.startswith((address, "data:")) else faults.append(one.url))
    tab.goto(address)
    tab.wait_for_selector(f"[data-painted='S1/{MIDDLE}']", timeout=30_000)
    yield tab
    assert faults == []
    tab.close()


@pytest.fixture(autouse=True)
def fresh(page: Any) -> None:
    """Put the viewer back to where it starts."""
    page.evaluate(f"viewer.setLayers({{{LAYERS}}}); viewer.highlight([])")
    page.get_by_role("button", name="2 panes side by side").click()
    page.evaluate(f"viewer.show({{series: 'S1', slice: {MIDDLE}}})")
    page.get_by_role("button", name="Window as acquired, whole picture").click()
    page.wait_for_selector(f".sv-pane:first-child[data-slice='{MIDDLE}']")
    page.evaluate("heard.length = 0")


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of a slice of S1 lies on the first stage, and on the page."""
    box = page.locator(STAGE).first.bounding_box()
    scale = min(box["width"] / 160, box["height"] / 240)
    left, top = (box["width"] - 160 * scale) / 2, (box["height"] - 240 * scale) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def on_page(page: Any, x: float, y: float) -> tuple[float, float]:
    box = page.locator(STAGE).first.bounding_box()
    across, down = place(page, x, y)
    return box["x"] + across, box["y"] + down


def picture(page: Any, name: str) -> None:
    folder = os.environ.get("SPINESCRIBE_SCREENSHOT_DIR")
    if folder:
        page.screenshot(path=Path(folder) / f"viewer-{name}.png")


def test_grey_is_the_value_in_the_window(page: Any) -> None:
    page.evaluate(PLAIN)
    page.wait_for_timeout(300)
    # The canal of slice 2 has the value 220 + 80 in the window 200 +- 150.
    red, green, blue, _ = page.evaluate(GREY, list(place(page, 100, 12)))
    assert red == green == blue
    assert abs(red - 255 * (300 - 50) / 300) < 2


def test_window_scroll_and_opacity_change_the_pixels(page: Any) -> None:
    sums = [page.evaluate(SUM, 0)]
    for change in (
        "viewer.setLayers({opacity: 0.2})",
        "viewer.setLayers({fill: true})",
        "viewer.setLayers({measurements: true})",
        "viewer.setLayers({boxes: false})",
        "viewer.setLayers({heat: 'g14'})",
        f"viewer.show({{series: 'S1', slice: {MIDDLE + 1}}})",
    ):
        page.evaluate(change)
        sums.append(page.evaluate(SUM, 0))
    page.get_by_label("Window preset").select_option("hard")
    sums.append(page.evaluate(SUM, 0))
    page.get_by_role("button", name="Invert grey").click()
    sums.append(page.evaluate(SUM, 0))
    page.get_by_role("button", name="Zoom in").click()
    sums.append(page.evaluate(SUM, 0))
    assert len(set(sums)) == len(sums)
    picture(page, "changed")
    page.get_by_role("button", name="Invert grey").click()


def test_the_wheel_the_keys_and_the_slider_scroll(page: Any) -> None:
    page.mouse.move(*on_page(page, 20, 20))
    page.mouse.wheel(0, 120)
    page.wait_for_selector(f"[data-painted='S1/{MIDDLE + 1}']")
    page.locator(".sv-pane").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.wait_for_selector("[data-painted='S1/0']")
    page.keyboard.press("End")
    page.wait_for_selector(f"[data-painted='S1/{SLICES - 1}']")
    page.get_by_label("Pane 1: slice").fill("1")
    page.wait_for_selector("[data-painted='S1/1']")
    shown = page.evaluate("heard.filter((item) => item.event === 'slice').map((item) => item.slice)")
    assert shown == [3, 2, 0, 4, 1]
    page.get_by_text("Sagittal T2, slice 2 of 5", exact=True).wait_for(state="attached", timeout=5_000)


def test_a_click_on_a_box_picks_its_findings(page: Any) -> None:
    page.mouse.click(*on_page(page, 65, 150))
    (picked,) = page.evaluate("heard.filter((item) => item.event === 'pick')")
    assert picked["level"] == "L4-L5"
    assert (picked["series"], picked["slice"]) == ("S1", MIDDLE)
    assert {"g13", "g14", "g15"} == set(picked["finding_ids"])
    page.mouse.move(*on_page(page, 65, 150))
    page.locator(".sv-tip").first.get_by_text("disc bulge at L4-L5: present").wait_for(timeout=5_000)
    picture(page, "hovered")
    page.mouse.click(*on_page(page, 130, 20))
    nothing = page.evaluate("heard.filter((item) => item.event === 'pick').at(-1)")
    assert (nothing["finding_ids"], nothing["level"]) == ([], None)


def test_a_measured_line_is_picked_too(page: Any) -> None:
    page.evaluate("viewer.setLayers({measurements: true})")
    page.mouse.click(*on_page(page, 65, 30))
    (picked,) = page.evaluate("heard.filter((item) => item.event === 'pick')")
    assert len(picked["finding_ids"]) == 1
    assert picked["finding_ids"][0].startswith("m")


def test_a_level_chip_tells_its_level(page: Any) -> None:
    page.evaluate("viewer.show({series: 'S1', slice: 0})")
    page.get_by_role("button", name="Level L4-L5").first.click()
    (level,) = page.evaluate("heard.filter((item) => item.event === 'level')")
    assert {**level} == {"event": "level", "level": "L4-L5", "series": "S1", "slice": MIDDLE}
    page.wait_for_selector(f".sv-pane:first-child[data-slice='{MIDDLE}']")
    doubt = page.get_by_role("button", name="Level L1-L2").first
    assert doubt.inner_text() == "L1-L2?"
    assert "the top of the column is cut off" in doubt.get_attribute("aria-label")


def test_highlight_goes_to_the_first_box_and_draws_it(page: Any) -> None:
    page.evaluate("viewer.show({series: 'S1', slice: 0})")
    before = page.evaluate(SUM, 0)
    box = {"finding_id": "g14", "series": "S1", "slice": MIDDLE, "box_px": [40, 140, 90, 160]}
    page.evaluate(f"viewer.highlight([{json.dumps(box)}])")
    page.wait_for_selector(f"[data-painted='S1/{MIDDLE}']")
    chosen = page.evaluate(SUM, 0)
    page.evaluate("viewer.highlight([])")
    assert len({before, chosen, page.evaluate(SUM, 0)}) == 3


def test_dragging_means_window_pan_or_slices(page: Any) -> None:
    def readout() -> str:
        page.wait_for_timeout(120)
        text: str = page.locator(".sv-readout").first.inner_text()
        return text

    def drag(button: str = "left") -> None:
        page.mouse.move(*on_page(page, 20, 40))
        page.mouse.down(button=button)
        page.mouse.move(*on_page(page, 50, 60), steps=3)
        page.mouse.up(button=button)

    assert readout() == "C 200  W 300  100%"
    drag("right")
    windowed = readout()
    assert windowed != "C 200  W 300  100%"
    page.keyboard.press("x")
    assert readout() == "C 200  W 300  100%"
    page.keyboard.down("w")
    drag()
    page.keyboard.up("w")
    assert readout() == windowed
    before = page.evaluate(SUM, 0)
    drag("middle")
    assert page.evaluate(SUM, 0) != before
    page.keyboard.press("0")
    page.mouse.move(*on_page(page, 20, 40))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    assert not readout().endswith(" 100%")
    page.keyboard.press("0")
    drag()
    assert page.locator(".sv-pane").first.get_attribute("data-slice") != str(MIDDLE)
    assert page.evaluate("heard.filter((item) => item.event === 'pick')") == []


def test_fingers_scroll_and_pinch(page: Any) -> None:
    fire = """([kind, pointerId, clientX, clientY]) => document.querySelector('.sv-stage').dispatchEvent(
      new PointerEvent(kind, { pointerId, pointerType: 'touch', clientX, clientY, bubbles: true, button: 0 }))"""
    page.evaluate("HTMLElement.prototype.setPointerCapture = () => {}")
    x, y = on_page(page, 80, 100)
    page.evaluate(fire, ["pointerdown", 9, x, y])
    page.evaluate(fire, ["pointermove", 9, x, y + 20])
    page.evaluate(fire, ["pointerup", 9, x, y + 20])
    assert page.locator(".sv-pane").first.get_attribute("data-slice") == str(MIDDLE + 1)
    for kind, number, across in (
        ("pointerdown", 9, -40), ("pointerdown", 10, 40), ("pointermove", 9, -80), ("pointermove", 10, 80),
        ("pointerup", 9, -80), ("pointerup", 10, 80),
    ):  # fmt: skip
        page.evaluate(fire, [kind, number, x + across, y])
    page.wait_for_timeout(120)
    assert page.locator(".sv-readout").first.inner_text().endswith(" 200%")


def test_directions_scale_and_what_is_unknown_are_told(page: Any) -> None:
    first, second = page.locator(".sv-pane").nth(0), page.locator(".sv-pane").nth(1)
    assert first.get_by_role("img", name="left edge: anterior").inner_text() == "A"
    assert first.locator(".sv-scale").inner_text().endswith("cm")
    assert second.locator(".sv-scale").inner_text() == "no spacing known"
    assert second.get_by_role("img", name="left edge: direction not known").inner_text() == "?"
    assert first.get_attribute("aria-label") == "Pane 1: Sagittal T2, slice 3 of 5"


def test_one_to_four_panes(page: Any) -> None:
    for count, name in ((1, "One pane"), (3, "3 panes side by side"), (4, "4 panes side by side")):
        page.get_by_role("button", name=name).click()
        assert page.locator(".sv-pane").count() == count
    page.get_by_label("Pane 4: series").select_option("S2")
    page.wait_for_selector(".sv-pane:nth-child(4)[data-painted^='S2/']")
    # Panes of the same plane follow one another.
    page.get_by_label("Pane 3: series").select_option("S1")
    page.evaluate("viewer.show({series: 'S1', slice: 0})")
    page.locator(".sv-pane").first.focus()
    page.keyboard.press("End")
    assert page.locator(".sv-pane").nth(2).get_attribute("data-slice") == str(SLICES - 1)
    picture(page, "panes")


def test_axe_finds_nothing_wrong(page: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.get_by_role("button", name="Heat map of a finding").click()
    page.wait_for_timeout(300)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    picture(page, "heat")


def test_a_slice_that_cannot_be_loaded_is_told(page: Any, address: str) -> None:
    tab = page.context.browser.new_page()
    tab.route("**/slices/4", lambda route: route.fulfill(status=503, body=""))
    tab.goto(address)
    tab.wait_for_selector(f"[data-painted='S1/{MIDDLE}']", timeout=30_000)
    tab.evaluate("viewer.show({series: 'S1', slice: 4})")
    tab.get_by_text("Slice 5 could not be loaded: status 503").wait_for(timeout=10_000)
    tab.unroute("**/slices/4")
    tab.evaluate("viewer.show({series: 'S1', slice: 3}); viewer.show({series: 'S1', slice: 4})")
    tab.wait_for_selector("[data-painted='S1/4']", timeout=10_000)
    assert tab.locator(".sv-status").first.inner_text() == ""
    tab.close()


def test_destroy_leaves_nothing(page: Any) -> None:
    page.evaluate("viewer.destroy()")
    assert page.evaluate("document.getElementById('viewer').childElementCount") == 0
    page.reload()
    page.wait_for_selector(f"[data-painted='S1/{MIDDLE}']", timeout=30_000)
