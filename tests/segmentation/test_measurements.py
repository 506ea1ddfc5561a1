"""Measurements against drawn sizes: heights, canal width, slip; with and without spacing; every reason."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from anatomy import DISC_LEVELS, disc_label, vertebra_label
from segmentation.frame import SliceFrame
from segmentation.instances import number_slice
from segmentation.measurements import MeasuredSlice, canal_mask, measure
from segmentation.measure.norms import norms, percentile
from segmentation.profiles import run_along
from segmentation.shapes import build_shape
from segmentation.types import Level, Measurement
from segmentation.vertebrae import DiscPlane
from tests.segmentation.drawn_spine import DrawnSpine


def levels_of(spine: DrawnSpine) -> tuple[Level, ...]:
    return tuple(
        Level(
            name=level,
            series_id="S1",
            slice_index=0,
            centre_px=spine.to_px(centre),
            posterior_px=spine.to_px(spine.posterior(level)),
            centre_ras_mm=None,
            angle_deg=spine.tilt(level),
            length_px=spine.disc_length / spine.col_mm,
            confidence=1.0,
        )
        for level, centre in spine.centres().items()
    )


def slice_of(spine: DrawnSpine, *, has_spacing: bool = True) -> MeasuredSlice:
    frame = SliceFrame.of(spine.spacing if has_spacing else None)
    planes = tuple(
        DiscPlane(
            level,
            frame.to_plane(spine.to_px(centre)),
            frame.to_plane(spine.to_px(spine.posterior(level))),
            spine.axis(level),
        )
        for level, centre in spine.centres().items()
    )
    classes = spine.classes()
    pitch = spine.pitch if has_spacing else spine.pitch / spine.col_mm
    labels = number_slice(classes, (), planes, pitch, frame)
    for level, centre in spine.centres().items():
        y, x = np.nonzero(classes == 1)
        points = np.stack([x * spine.col_mm, y * spine.row_mm], axis=1) - centre
        near = (np.abs(points @ spine.normal(level)) <= spine.pitch / 3) & (
            np.hypot(*points.T) < spine.disc_length * 0.6
        )
        labels[y[near], x[near]] = disc_label(level)
    return MeasuredSlice(labels, canal_mask(labels), frame, pitch, "S1", 0)


def by_name(spine: DrawnSpine, on: MeasuredSlice | None = None) -> dict[tuple[str, str], Measurement]:
    found = measure(levels_of(spine), on or slice_of(spine))
    return {(item.name, item.level or ""): item for item in found}


def test_ids_run_from_m1_level_by_level() -> None:
    spine = DrawnSpine()
    found = measure(levels_of(spine), slice_of(spine))
    assert [item.id for item in found] == [f"m{number}" for number in range(1, len(found) + 1)]
    assert [item.level for item in found[:: len(found) // 7]] == list(DISC_LEVELS[-7:])
    assert all((item.value is None) == (item.reason is not None) for item in found)


@pytest.mark.parametrize(("row", "col"), [(0.7, 0.7), (0.5, 0.9), (1.0, 0.6)])
def test_disc_heights_are_right_within_a_pixel_whatever_the_tilt_and_the_pixels(row: float, col: float) -> None:
    heights = {"L5-S1": 11.0, "L4-L5": 6.0, "L3-L4": 4.0, "L1-L2": 8.0}
    spine = DrawnSpine(heights=heights, row_mm=row, col_mm=col)
    found = by_name(spine)
    for level in spine.levels:
        truth = heights.get(level, spine.disc_height)
        for name in ("disc_height", "disc_height_anterior", "disc_height_posterior"):
            assert found[name, level].value == pytest.approx(truth, abs=0.8 * max(row, col)), (name, level)
            assert found[name, level].unit == "mm"


def test_the_line_of_a_height_is_as_long_as_the_height() -> None:
    spine = DrawnSpine()
    item = by_name(spine)["disc_height", "L4-L5"]
    assert item.line_px is not None
    first, second = (np.array(point) * [spine.col_mm, spine.row_mm] for point in item.line_px)
    assert np.linalg.norm(second - first) == pytest.approx(item.value)


def test_the_height_index_needs_no_spacing_and_is_the_same_with_stretched_pixels() -> None:
    spine = DrawnSpine(levels=DISC_LEVELS[-6:-2])
    expected = by_name(spine)["disc_height_index", "L2-L3"]
    bodies = []
    centres = spine.centres()
    for upper, lower in (("L1-L2", "L2-L3"), ("L2-L3", "L3-L4")):
        bodies.append(float(np.linalg.norm(centres[lower] - centres[upper])) - spine.disc_height)
    assert expected.value == pytest.approx(spine.disc_height / np.mean(bodies), rel=0.06)
    unknown = slice_of(spine, has_spacing=False)
    without = by_name(spine, unknown)
    assert without["disc_height_index", "L2-L3"].value == pytest.approx(expected.value, rel=0.03)
    tall = DrawnSpine(levels=spine.levels, row_mm=0.7, col_mm=1.0)
    stretched = by_name(tall, slice_of(tall, has_spacing=False))
    assert stretched["disc_height_index", "L2-L3"].value == pytest.approx(expected.value, rel=0.06)


def test_without_spacing_no_length_has_a_value_and_the_reason_is_said() -> None:
    spine = DrawnSpine()
    for item in measure(levels_of(spine), slice_of(spine, has_spacing=False)):
        if item.unit == "mm":
            assert item.value is None
            assert item.reason in ("pixel spacing unknown", "the sacrum is not segmented")
            assert item.percentile is None


@pytest.mark.parametrize("width", [6.0, 10.0, 15.0])
def test_canal_width_is_right_within_a_pixel_at_every_level(width: float) -> None:
    spine = DrawnSpine(canal_width=width)
    found = by_name(spine)
    for level in spine.levels:
        assert found["canal_ap_diameter", level].value == pytest.approx(width, abs=1.0), level


def test_a_narrowing_at_one_height_of_the_disc_is_the_canal_width() -> None:
    spine = DrawnSpine()
    on = slice_of(spine)
    x, y = np.round(spine.to_px(spine.posterior("L3-L4"))).astype(int)
    labels = on.labels.copy()
    labels[y - 3 : y + 4, x : x + round((spine.canal_gap + 6.0) / spine.col_mm)] = 0  # a bulge takes 6 mm
    found = by_name(spine, replace(on, labels=labels, canal=canal_mask(labels)))
    assert found["canal_ap_diameter", "L3-L4"].value == pytest.approx(spine.canal_width - 6.0, abs=1.5)
    assert found["canal_ap_diameter", "L2-L3"].value == pytest.approx(spine.canal_width, abs=1.0)


def test_a_canal_that_is_not_outlined_or_broken_has_no_width_but_a_reason() -> None:
    spine = DrawnSpine()
    on = slice_of(spine)
    gone = by_name(spine, replace(on, canal=np.zeros_like(on.canal)))
    assert gone["canal_ap_diameter", "L3-L4"].reason == "the spinal canal is not outlined at this level"
    broken = on.canal.copy()
    _, y = np.round(spine.to_px(spine.posterior("L3-L4"))).astype(int)
    broken[y - 2 : y + 3] = 0
    cut = by_name(spine, replace(on, canal=broken))
    assert (
        cut["canal_ap_diameter", "L3-L4"].reason == "the outline of the spinal canal is interrupted at this level"
    )
    assert cut["canal_ap_diameter", "L1-L2"].value is not None


@pytest.mark.parametrize("slip", [-5.0, 0.0, 4.0, 9.0])
def test_slip_is_right_within_a_pixel_with_its_sign(slip: float) -> None:
    spine = DrawnSpine(slips={"L4-L5": slip})
    found = by_name(spine)
    assert found["listhesis", "L4-L5"].value == pytest.approx(slip, abs=1.0)
    share = found["listhesis_percent", "L4-L5"]
    assert share.unit == "%"
    assert share.value == pytest.approx(100 * slip / spine.disc_length, abs=4.0)
    assert found["listhesis", "L2-L3"].value == pytest.approx(0.0, abs=1.0)


def test_slip_with_oblong_pixels() -> None:
    spine = DrawnSpine(slips={"L4-L5": 6.0}, row_mm=0.5, col_mm=0.9)
    assert by_name(spine)["listhesis", "L4-L5"].value == pytest.approx(6.0, abs=1.0)


def test_slip_on_the_sacrum_is_not_assessable() -> None:
    for name in ("listhesis", "listhesis_percent"):
        item = by_name(DrawnSpine())[name, "L5-S1"]
        assert item.value is None
        assert item.reason == "the sacrum is not segmented"


def test_slip_without_a_vertebra_says_so() -> None:
    spine = DrawnSpine()
    on = slice_of(spine)
    labels = np.where(on.labels == vertebra_label("L5"), 0, on.labels).astype(np.uint8)
    found = by_name(spine, replace(on, labels=labels))
    assert "is not outlined" in (found["listhesis", "L4-L5"].reason or "")


def test_a_wall_grown_together_with_the_pedicle_cannot_be_traced() -> None:
    spine = DrawnSpine()
    on = slice_of(spine)
    labels = on.labels.copy()
    inside = np.nonzero(labels == vertebra_label("L4"))
    labels[inside[0].min() : inside[0].max() + 1, inside[1].min() : inside[1].max() + 60] = vertebra_label("L4")
    found = by_name(spine, replace(on, labels=labels))
    assert found["listhesis", "L3-L4"].reason == "a posterior vertebral wall cannot be traced"


def test_missing_and_cut_discs_have_reasons() -> None:
    spine = DrawnSpine()
    on = slice_of(spine)
    labels = np.where(on.labels == disc_label("L2-L3"), 0, on.labels).astype(np.uint8)
    found = by_name(spine, replace(on, labels=labels))
    assert found["disc_height", "L2-L3"].reason == "the disc is not outlined"
    assert found["listhesis", "L2-L3"].reason == "the disc is not outlined"
    assert found["disc_height_index", "L2-L3"].reason == "the disc is not outlined"
    _, y = np.round(spine.to_px(spine.centres()["T11-T12"])).astype(int)
    cut = replace(
        spine_slice_from(on, y),
    )
    moved = tuple(
        replace(
            level,
            centre_px=(level.centre_px[0], level.centre_px[1] - y),
            posterior_px=(level.posterior_px[0], level.posterior_px[1] - y),
        )
        for level in levels_of(spine)
    )
    items = {(item.name, item.level): item for item in measure(moved, cut)}
    assert items["disc_height", "T11-T12"].reason == "the disc is cut by the image border"
    assert items["disc_height", "T12-L1"].value == pytest.approx(spine.disc_height, abs=0.8)


def spine_slice_from(on: MeasuredSlice, first_row: int) -> MeasuredSlice:
    return replace(on, labels=on.labels[first_row:], canal=on.canal[first_row:])


def test_the_index_has_no_value_when_no_body_is_in_full_view() -> None:
    spine = DrawnSpine()
    only = tuple(level for level in levels_of(spine) if level.name == "L2-L3")
    item = next(item for item in measure(only, slice_of(spine)) if item.name == "disc_height_index")
    assert item.reason == "no neighbouring vertebral body is in full view"


def test_percentiles_follow_the_norm_table() -> None:
    norm = norms()["disc_height", "L4-L5"]
    assert percentile("disc_height", "L4-L5", norm.mean, "mm") == pytest.approx(50.0)
    assert percentile("disc_height", "L4-L5", norm.mean + norm.sd, "mm") == pytest.approx(
        100 * NormalDist().cdf(1.0)
    )
    assert percentile("disc_height", "T8-T9", 8.0, "mm") is None
    assert percentile("disc_height", "L4-L5", 8.0, "1") is None
    item = by_name(DrawnSpine())["disc_height", "L4-L5"]
    assert item.value is not None
    assert item.percentile == percentile("disc_height", "L4-L5", item.value, "mm")


def test_a_run_ends_where_the_mask_passes_one_half() -> None:
    mask = np.zeros((9, 20), dtype=np.float32)
    mask[:, 5:12] = 1.0
    frame = SliceFrame(0.5, 0.5, is_mm=True)
    run = run_along(mask, np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 9.5), frame)
    assert run == pytest.approx((2.25, 5.75))
    assert run_along(mask, np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 1.0), frame) is None


def test_of_two_runs_the_one_nearest_to_the_place_counts() -> None:
    mask = np.zeros((5, 30), dtype=np.float32)
    mask[:, 2:6] = 1.0
    mask[:, 20:26] = 1.0
    frame = SliceFrame.of(None)
    line = (np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 29.0), frame)
    assert run_along(mask, *line, nearest_to=25.0) == pytest.approx((19.5, 25.5))
    assert run_along(mask, *line, nearest_to=0.0) == pytest.approx((1.5, 5.5))


def test_area_over_length_is_the_thickness() -> None:
    pixels = np.array([[x, y] for x in range(40) for y in range(10, 16)], dtype=np.intp)
    shape = build_shape(pixels, np.ones((30, 60), dtype=np.float32), SliceFrame.of(None))
    assert shape.length == pytest.approx(40.0, abs=1.0)
    assert shape.thickness == pytest.approx(6.0, abs=0.2)
