"""What the lumbar phantom can have, from hand-made plans: the truth against what was asked for, and its shape."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import Condition, Side
from imaging.phantom.lumbar.draw_more import sacralise, with_body
from imaging.phantom.lumbar.measure import measure_axial, paint_patch
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.plan import LUMBARISED, SpinePlan
from imaging.phantom.lumbar.report import report_parts
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.scene import Truth
from imaging.phantom.tissues import Palette
from imaging.phantom.types import Phantom
from tests.imaging.phantom.lumbar_plans import LEVELS, measured, placed, quiet_plan, truth_of, with_disc


def graded(truth: Truth, condition: Condition, level: str, side: Side | None = None) -> str:
    (grade,) = [
        item.grade
        for item in truth.grades
        if item.condition is condition and item.level == level and (side is None or item.side is side)
    ]
    return grade


def report_of(truth: Truth) -> str:
    phantom = Phantom(
        "lumbar", 3, "x", "F", 50, (), truth.levels, truth.measurements, truth.grades, truth.boxes, truth.details
    )
    parts = report_parts(phantom)
    return "\n".join([*parts.findings, *parts.impression])


@pytest.fixture(scope="module")
def quiet() -> Truth:
    return truth_of(quiet_plan())


@pytest.fixture(scope="module")
def worn() -> Truth:
    """Return the truth of a spine with a different finding at each level."""
    plan = with_disc(quiet_plan(), "L4-L5", recess=(2.5, 6.0), slip=10.0)
    plan = with_disc(plan, "L3-L4", recess=(6.0, 1.2), foramen_width=(1.2, 6.0), canal_ap=7.5)
    plan = with_disc(plan, "L2-L3", slip=-4.5)
    plan = with_disc(plan, "L5-S1", focal=5.5, focal_t=6.0, is_extruded=True, migration=-10.0)
    return truth_of(with_disc(plan, "L1-L2", focal=4.0, focal_t=-5.0))


def test_a_quiet_spine_has_open_recesses_and_free_roots(quiet: Truth) -> None:
    for level in LEVELS[2:]:
        for side in (Side.LEFT, Side.RIGHT):
            assert graded(quiet, Condition.SUBARTICULAR_STENOSIS, level, side) == "normal_mild"
            assert measured(quiet, "lateral_recess_height", level, side) >= 5.0
            assert measured(quiet, "lateral_recess_bartynski_step", level, side) == 0
            assert measured(quiet, "foraminal_lee_step", level, side) <= 1
    assert quiet.details["herniations"] == []
    assert quiet.details["numbering"]["lumbar_type_vertebrae"] == 5


def test_a_recess_is_narrowed_on_the_side_that_was_asked_for(worn: Truth) -> None:
    recess = Condition.SUBARTICULAR_STENOSIS
    assert graded(worn, recess, "L4-L5", Side.LEFT) == "moderate"
    assert graded(worn, recess, "L4-L5", Side.RIGHT) == "normal_mild"
    assert graded(worn, recess, "L3-L4", Side.LEFT) == "normal_mild"
    assert graded(worn, recess, "L3-L4", Side.RIGHT) == "severe"
    assert measured(worn, "lateral_recess_height", "L4-L5", Side.LEFT) == pytest.approx(2.5, abs=0.3)
    assert measured(worn, "lateral_recess_height", "L3-L4", Side.RIGHT) == pytest.approx(1.2, abs=0.3)
    assert measured(worn, "lateral_recess_bartynski_step", "L4-L5", Side.LEFT) == 2  # under 3 mm
    assert measured(worn, "foraminal_width", "L4-L5", Side.LEFT) >= 4.0  # a narrow recess is no narrow foramen
    assert "Moderate left subarticular stenosis" in report_of(worn)
    assert "Severe right subarticular stenosis at L3-L4." in report_of(worn)


def test_a_narrow_foramen_takes_its_roots_place(quiet: Truth, worn: Truth) -> None:
    assert measured(worn, "foraminal_lee_step", "L3-L4", Side.LEFT) == 3
    assert measured(quiet, "foraminal_lee_step", "L3-L4", Side.LEFT) == 0
    assert graded(worn, Condition.NEURAL_FORAMINAL_NARROWING, "L3-L4", Side.LEFT) == "severe"


def test_slips_have_a_direction_and_forward_ones_a_meyerding_step(quiet: Truth, worn: Truth) -> None:
    forward = measured(worn, "listhesis", "L4-L5") - measured(quiet, "listhesis", "L4-L5")
    backward = measured(worn, "listhesis", "L2-L3") - measured(quiet, "listhesis", "L2-L3")
    assert (forward, backward) == (pytest.approx(10.0, abs=0.1), pytest.approx(-4.5, abs=0.1))
    assert graded(worn, Condition.SPONDYLOLISTHESIS, "L2-L3") == "present"
    assert measured(worn, "meyerding_step", "L4-L5") == 1 + (measured(worn, "listhesis_percent", "L4-L5") > 0.25)
    with pytest.raises(ValueError, match="not enough values"):
        measured(worn, "meyerding_step", "L2-L3")
    assert "Retrolisthesis of" in report_of(worn)
    assert "Anterolisthesis of" in report_of(worn)


def test_an_extrusion_hangs_below_its_disc_and_a_protrusion_does_not(worn: Truth) -> None:
    found = {row["level"]: row for row in worn.details["herniations"]}
    extrusion, protrusion = found["L5-S1"], found["L1-L2"]
    assert (extrusion["kind"], extrusion["place"], extrusion["side"]) == ("extrusion", "paracentral", "right")
    assert extrusion["migration"] == "caudal"
    assert extrusion["migration_mm"] == pytest.approx(10.0, abs=2.0)
    assert (protrusion["kind"], protrusion["side"], protrusion["migration"]) == ("protrusion", "left", None)
    assert protrusion["depth_mm"] == pytest.approx(4.0, abs=0.6)
    assert graded(worn, Condition.DISC_HERNIATION, "L5-S1") == "present"
    assert "Right paracentral disc extrusion, migrated" in report_of(worn)
    assert "Left paracentral disc protrusion at L1-L2." in report_of(worn)


def test_a_bulge_is_no_herniation() -> None:
    truth = truth_of(with_disc(quiet_plan(), "L4-L5", bulge=3.0))
    assert graded(truth, Condition.DISC_BULGING, "L4-L5") == "present"
    assert truth.details["herniations"] == []


def test_roots_crowd_where_the_sac_is_narrow(quiet: Truth, worn: Truth) -> None:
    assert measured(worn, "csf_share", "L3-L4") < measured(quiet, "csf_share", "L3-L4") - 0.05
    assert measured(worn, "dural_sac_area", "L3-L4") < 0.75 * measured(quiet, "dural_sac_area", "L3-L4")
    spine, palette = placed(with_disc(quiet_plan(), "L3-L4", canal_ap=7.5))
    narrow, wide = ((root_reach(spine, palette, level)) for level in ("L3-L4", "L2-L3"))
    assert narrow > 0.8  # all of the narrow sac
    assert wide < 0.75  # the front of an open one is free


def root_reach(spine: Spine, palette: Palette, level: str) -> float:
    """Return how far to the front the roots reach, a share of the sac's AP diameter."""
    disc = spine.disc(level)
    forward, _, right = disc.frame.axes
    origin = disc.frame.world(-disc.depth / 2 - 26.0, 0.0, -4.0)
    patch = paint_patch(spine, palette, origin, (right, 0.2, 40), (forward, 0.2, 180))
    sac, root = (
        np.nonzero(mask.any(axis=0))[0] for mask in (patch.label == 100, patch.tissue == palette.number("root"))
    )
    return float((root.max() - sac.min()) / (sac.max() - sac.min()))


@pytest.mark.parametrize("degrees", [-24.0, 12.0, 28.0])
def test_a_side_curve_has_its_cobb_angle_and_leaves_the_midline(degrees: float) -> None:
    plan = replace(quiet_plan(), cobb=float(np.radians(degrees)))
    truth = truth_of(plan)
    (cobb,) = [item for item in truth.measurements if item.name == "cobb_angle"]
    # Turned and tilted bodies lean less in the front view than about their own axes.
    assert cobb.value == pytest.approx(degrees, rel=0.10)
    apex = next(level for level in truth.levels if level.name == "L2-L3").centre_ras_mm[0]
    assert np.sign(apex) == np.sign(degrees)  # convex to the right: the apex lies at x > 0
    assert abs(apex) > 0.3 * abs(degrees)
    side = "right" if degrees > 0 else "left"
    assert f"convex to the {side}" in report_of(truth)
    height = measured(truth, "disc_height", "L2-L3")
    assert height == pytest.approx(plan.disc("L2-L3").height, abs=0.5)


def test_a_straight_spine_has_no_cobb_angle(quiet: Truth) -> None:
    (cobb,) = [item for item in quiet.measurements if item.name == "cobb_angle"]
    assert cobb.value == pytest.approx(0.0, abs=0.01)
    assert "Scoliosis" not in report_of(quiet)


def test_lordosis_is_the_sum_of_the_wedges(quiet: Truth) -> None:
    plan = quiet_plan()
    wedges = sum(disc.wedge for disc in plan.discs if disc.name.startswith("L"))
    wedges += sum(body.wedge for body in plan.bodies if body.name.startswith("L"))
    assert measured(quiet, "lordosis", "L1-S1") == pytest.approx(np.degrees(wedges), abs=0.1)
    bent = truth_of(with_disc(plan, "L3-L4", wedge=plan.disc("L3-L4").wedge + np.radians(5.0)))
    assert measured(bent, "lordosis", "L1-S1") - measured(quiet, "lordosis", "L1-S1") == pytest.approx(
        5.0, abs=0.1
    )


def test_a_sacralised_l5_keeps_its_name_and_says_so() -> None:
    truth = truth_of(sacralise(quiet_plan(), load_tables()))
    assert truth.details["numbering"]["is_transitional"] is True
    assert truth.details["numbering"]["lumbar_type_vertebrae"] == 4
    assert [level.name for level in truth.levels] == list(LEVELS)
    assert measured(truth, "disc_height", "L5-S1") < 4.5
    assert graded(truth, Condition.DISC_NARROWING, "L5-S1") == "absent"  # small by nature, not by wear
    assert not [
        item
        for item in truth.grades
        if item.level == "L5-S1" and item.condition is Condition.SUBARTICULAR_STENOSIS
    ]
    assert "sacralised L5" in report_of(truth)


def test_a_lumbarised_s1_stands_on_a_disc_without_a_number() -> None:
    plan = replace(quiet_plan(), numbering=LUMBARISED)
    spine, palette = placed(plan)
    assert truth_of(plan).details["numbering"]["lumbar_type_vertebrae"] == 6
    s1 = spine.body("S1")
    forward, up, _ = s1.frame.axes
    patch = paint_patch(
        spine, palette, s1.frame.world(0.0, -s1.height / 2 - 8.0), (forward, 0.5, 4), (up, 0.2, 60)
    )
    disc = patch.tissue == palette.number("disc_S1-S2")
    assert 2.0 < disc[0].sum() * 0.2 < 9.0
    assert not patch.label[disc].any()


def test_a_fracture_lowers_the_front_of_its_body_only(quiet: Truth) -> None:
    plan = quiet_plan()
    truth = truth_of(with_body(plan, replace(plan.body("L1"), collapse=0.35)))
    before, after = (measured(item, "vertebral_height_ratio", "L1") for item in (quiet, truth))
    assert after / before == pytest.approx(0.65, abs=0.04)
    assert measured(truth, "vertebral_height_ratio", "L2") == measured(quiet, "vertebral_height_ratio", "L2")
    assert truth.details["fractures"][0]["vertebra"] == "L1"
    assert graded(truth, Condition.DISC_NARROWING, "T12-L1") == "absent"


def test_what_is_measured_near_a_level_is_measured_in_the_whole_spine() -> None:
    plan = replace(with_disc(quiet_plan(), "L4-L5", canal_ap=9.0, recess=(2.0, 6.0)), cobb=0.3)
    spine, palette = placed(plan)
    disc = spine.disc("L4-L5")
    assert measure_axial(spine.near(disc), disc, palette) == measure_axial(spine, disc, palette)


def oracle_plans() -> list[SpinePlan]:
    worn = with_disc(quiet_plan(5), "L4-L5", height=4.0, pfirrmann="IV", nucleus_t2=51.0, bulge=2.0, canal_ap=9.0)
    return [worn, replace(with_disc(worn, "L4-L5", slip=5.0), cobb=0.35)]


@pytest.mark.parametrize("number", [0, 1])
def test_label_maps_and_truth_agree_to_half_a_voxel(number: int) -> None:
    """Count disc height and canal width again on a fine sagittal grid in world axes, with other means."""
    plan = oracle_plans()[number]
    spine, palette = placed(plan)
    truth = truth_of(plan)
    for level in ("L3-L4", "L4-L5"):
        place = next(item for item in truth.levels if item.name == level)
        x, y, z = place.centre_ras_mm
        disc = spine.disc(level)
        corner = np.array([y - 50.0, z - 30.0])
        # The disc, turned upright: its area over the middle third.
        points = np.argwhere(side_view(spine, palette, x, corner) == disc.label) * STEP + corner - (y, z)
        p = points @ disc.frame.axes[0][1:]
        area = (np.abs(p) < disc.depth / 6).sum() * STEP * STEP
        assert area / (disc.depth / 3) == pytest.approx(measured(truth, "disc_height", level), abs=0.36)
        _, back_y, back_z = place.posterior_ras_mm
        middle = float(spine.curve.x[spine.curve.nearest(back_y, back_z)])
        canal = side_view(spine, palette, middle, corner) == 100
        seen = least_run_mm(canal, np.array([back_y, back_z]) - corner)
        # A ray may lie a little better across than the curve's normal, so it may find less.
        assert -0.5 < seen - measured(truth, "canal_ap_diameter", level) < 0.36


STEP = 0.25


def side_view(spine: Spine, palette: Palette, x: float, corner: np.ndarray) -> np.ndarray:
    """Return the labels of a sagittal plane from a corner to the front and up."""
    forward, up = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    origin = (x, float(corner[0]), float(corner[1]))
    return paint_patch(spine, palette, origin, (forward, STEP, 300), (up, STEP, 240)).label


def least_run_mm(inside: np.ndarray, start_mm: np.ndarray) -> float:
    """Return the least length of a structure along rays from a point to the back."""
    reach = np.arange(0.0, 28.0, 0.1)
    best = []
    for degrees in range(-40, 41):
        ray = start_mm[:, None] + np.array([[-np.cos(np.radians(degrees))], [np.sin(np.radians(degrees))]]) * reach
        i, j = np.rint(ray / STEP).astype(int)
        run = inside[i.clip(0, inside.shape[0] - 1), j.clip(0, inside.shape[1] - 1)]
        first = int(np.argmax(run))
        if run.any() and first * 0.1 < 5.0 and not run[first:].all():
            best.append(int(np.argmin(run[first:])) * 0.1)
    return min(value for value in best if value > 2.0)
