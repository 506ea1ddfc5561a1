"""Grades that rest on windows beside and across the midline, explained with an untrained grader on noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anatomy import Condition, Side, disc_label, load_protocol
from benchmarks.saliency import Case, judge_case
from grading.predict import Grader
from grading.saliency import Saliency, explain_grade
from grading.saliency.place import WindowPlace, onto_slice
from grading.types import Findings
from grading.views import cut_window, level_frames, load_views, window_pixels
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.types import LabelMap, Level, SegmentedStudy
from tests.grading.saliency.tiny import tiny_grader

SIDED = (Condition.NEURAL_FORAMINAL_NARROWING, Condition.SUBARTICULAR_STENOSIS)
_USUAL = load_protocol("lumbar")
LUMBAR = replace(
    _USUAL, conditions=(*_USUAL.conditions, *(item for item in SIDED if item not in _USUAL.conditions))
)
VIEWS = ("foramen_t2", "recess_t2")
HEIGHTS = {"L2-L3": 30.0, "L3-L4": 0.0, "L4-L5": -30.0}
SAGITTAL, AXIAL = (130, 130, 20), (120, 120, 30)
POSTERIOR = 60.0
"""Column of the posterior disc margin on the sagittal series; a millimetre a pixel."""


def affine_of(
    columns: tuple[float, ...], rows: tuple[float, ...], slices: tuple[float, ...]
) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = columns, rows, slices
    return affine


def sagittal() -> NDArray[np.float64]:
    """Columns to the back, rows to the feet, slices to the right; the middle of the slices is x = 0."""
    affine = affine_of((0, -1, 0), (0, 0, -1), (3, 0, 0))
    affine[:3, 3] = (-28.5, POSTERIOR, 60.0)
    return affine


def axial() -> NDArray[np.float64]:
    """Columns to the left, rows to the back, slices to the head; the middle of the columns is x = 0."""
    affine = affine_of((-1, 0, 0), (0, -1, 0), (0, 0, 4))
    affine[:3, 3] = (59.5, 60.0, -58.0)
    return affine


def series(name: str, plane: Plane, array: NDArray[np.float32], affine: NDArray[np.float64]) -> Series:
    step = [float(np.linalg.norm(affine[:3, axis])) for axis in range(3)]
    volume = Volume(np.ascontiguousarray(array), Spacing(step[1], step[0], step[2]), affine, array.shape)
    return Series(name, f"{plane.value}_t2", plane, Sequence.T2, volume)


def spine(*, mirrored: bool = False) -> tuple[Study, SegmentedStudy]:
    """Return noise as a sagittal and an axial series, and its mirror image."""
    rng = np.random.default_rng(0)
    first, second = (rng.random(shape).astype(np.float32) for shape in (SAGITTAL, AXIAL))
    if mirrored:
        first, second = first[:, :, ::-1], second[::-1]
    study = Study(
        "k",
        SourceKind.NIFTI,
        "lumbar",
        (series("S1", Plane.SAGITTAL, first, sagittal()), series("S2", Plane.AXIAL, second, axial())),
    )
    labels = np.zeros(SAGITTAL, dtype=np.uint8)
    labels[62:75, 20:110, 8:12] = 100
    labels[25:60, 55:66, 8:12] = disc_label("L3-L4")
    k = 10 if mirrored else 9
    levels = tuple(
        Level(name, "S1", k, (POSTERIOR - 18, 60 - z), (POSTERIOR, 60 - z), None, 0.0, 30.0, 0.9)
        for name, z in HEIGHTS.items()
    )
    return study, SegmentedStudy((LabelMap("S1", labels),), "S1", levels, {"S1": levels}, ())


@pytest.fixture(scope="module")
def grader() -> Grader:
    return tiny_grader(views=VIEWS)


def explain(
    grader: Grader, condition: Condition, side: Side | None = None, *, mirrored: bool = False
) -> tuple[Saliency, ...]:
    study, segmented = spine(mirrored=mirrored)
    findings: Findings = grader.grade(study, segmented, LUMBAR)
    (grade,) = (
        item
        for item in findings.grades_at("L3-L4")
        if (item.condition, item.side) == (condition, side) and item.probabilities
    )
    return explain_grade(grader, study, segmented, findings, grade.id)


def test_a_window_is_laid_back_where_it_was_read_off() -> None:
    frames = level_frames({name: (0.0, 0.0, z) for name, z in HEIGHTS.items()})
    smooth = np.random.default_rng(1).random(AXIAL).astype(np.float32)
    for axis in (0, 1):  # blurred, so that sampling twice loses little
        smooth = np.asarray(sum(np.roll(smooth, shift, axis) for shift in range(-6, 7)) / 13, dtype=np.float32)
    view = load_views("lumbar")["recess_t2"]
    for side in Side:
        cut = cut_window(smooth, axial(), frames["L3-L4"], view, side)
        assert cut is not None
        place = WindowPlace.of_pixels(window_pixels(frames["L3-L4"], axial(), view, side), (120, 120))
        laid = onto_slice(cut.image[1], place)
        there = laid > 0
        assert there.sum() == pytest.approx((1.5 * 30) ** 2, rel=0.03)
        assert np.abs(laid - smooth[:, :, cut.slice_index].T)[there].max() < 0.02


def test_a_sided_grade_shows_its_own_side_first_and_the_midline_after(grader: Grader) -> None:
    for side, slices in ((Side.LEFT, (5, 14)), (Side.RIGHT, (14, 14))):
        found = explain(grader, Condition.NEURAL_FORAMINAL_NARROWING, side)
        assert [(item.view, item.side, item.series_id) for item in found] == [
            ("foramen_t2", side, "S1"),
            ("recess_t2", side, "S2"),
            ("midline", None, "S1"),
        ]
        assert tuple(item.slice_index for item in found)[:2] == slices
        assert sum(item.window_share or 0 for item in found) == pytest.approx(1.0)
        largest = max(float(item.map.max()) for item in found)
        assert 0.8 < largest <= 1  # the hottest place of a window may lie between pixels of the slice
        for item in found:
            assert item.reason == "no outlined structure belongs to this condition"
            assert (item.focused_map, item.energy_share, item.region) == (None, None, None)


def test_a_grade_without_a_side_shows_the_views_beside_the_midline(grader: Grader) -> None:
    found = explain(grader, Condition.SPINAL_CANAL_STENOSIS)
    assert [(item.view, item.side) for item in found] == [
        ("midline", None),
        ("recess_t2", Side.LEFT),
        ("recess_t2", Side.RIGHT),
    ]
    midline, *views = found
    assert midline.outlined_on == "S1"
    assert midline.energy_share is not None
    assert midline.level_share is not None
    for item in views:
        assert item.map.max() > 0
        assert item.reason == "outlines are laid on crops of the midline only, not on this window of S2"
        assert (item.region, item.energy_share) == ("spinal canal, spinal cord", None)
        assert item.level_share is None


def test_a_condition_of_the_midline_shows_no_view(grader: Grader) -> None:
    assert [item.view for item in explain(grader, Condition.DISC_BULGING)] == ["midline"]


@pytest.mark.parametrize("condition", SIDED)
def test_a_mirrored_spine_has_its_maps_mirrored(grader: Grader, condition: Condition) -> None:
    left = explain(grader, condition, Side.LEFT)
    right = explain(grader, condition, Side.RIGHT, mirrored=True)
    for one, other in zip(left, right, strict=True):
        assert one.view == other.view
        turned = other.map[:, ::-1] if one.view == "recess_t2" else other.map
        np.testing.assert_allclose(one.map, turned, atol=1e-4)
        if one.series_id == "S1":
            assert one.slice_index == SAGITTAL[2] - 1 - other.slice_index
        assert one.window_share == pytest.approx(other.window_share, abs=1e-4)
    assert max(float(item.map.max()) for item in left) > 0.8


def test_a_view_that_is_read_in_one_corner_has_heat_there() -> None:
    corner = tiny_grader(seed=2, views=VIEWS)
    kept = torch.zeros(32, 4, 6)
    kept[:, 0, 0] = 1.0  # the upper front corner of the pooling's grid
    with torch.no_grad():
        corner.members[0].view_encoders[0].pooling.project.weight *= kept.flatten()
    for side in Side:
        found = explain(corner, Condition.NEURAL_FORAMINAL_NARROWING, side)
        heat = found[0].map
        view = load_views("lumbar")["foramen_t2"]
        if heat.max() == 0:  # what is there speaks against the grade
            continue
        rows, columns = np.nonzero(heat > 0.05 * heat.max())
        top, front = 60 - view.above * 30, POSTERIOR - view.ahead * 30
        assert top - 1 <= rows.min() <= rows.max() < top + 13
        assert front - 1 <= columns.min() <= columns.max() < front + 10
        return
    pytest.fail("neither side has heat: choose another seed")


def test_a_table_that_does_not_fit_is_told(grader: Grader) -> None:
    from grading.saliency.discs import disc_heats, disc_windows
    from grading.saliency.types import SaliencyMethod

    study, segmented = spine()
    findings = grader.grade(study, segmented, LUMBAR)
    grade = next(item for item in findings.grades_at("L3-L4") if item.condition is Condition.DISC_BULGING)
    windows = disc_windows(grader, study, segmented)
    table = windows.tables["encoder"]
    wrong = replace(windows, tables={"encoder": replace(table, images=table.images + 1)})
    with pytest.raises(RuntimeError, match="encoder: expected the 3 windows of its table in their order, got 3"):
        disc_heats(grader, wrong, grade, SaliencyMethod.HIRES_CAM)


@pytest.mark.slow
def test_the_benchmark_judges_grades_of_one_side_by_the_windows_of_their_side(grader: Grader) -> None:
    study, segmented = spine()
    case = Case(1, study, segmented, grader.grade(study, segmented, LUMBAR))
    rows = list(judge_case(case, grader, is_sided=True))
    assert {row.condition for row in rows} == {condition.value for condition in SIDED}
    assert {row.series for row in rows if row.condition == "subarticular_stenosis"} == {"S1", "S2"}
    assert all(np.isfinite([row.fall, row.fall_elsewhere]).all() for row in rows)
    assert any(row.fall != 0 for row in rows)
    midline = list(judge_case(case, grader))
    assert not {row.condition for row in midline} & {condition.value for condition in SIDED}
