"""The cervical phantom against its own geometry: determinism, sides, sizes, grades and prevalence."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anatomy import SCALES, Condition, Side, disc_label, load_protocol, vertebra_label
from anatomy.structures import label_codes
from imaging.phantom import Phantom, PhantomSeries, build_phantom
from imaging.phantom.build import phantom_of
from imaging.phantom.canvas import Canvas, View
from imaging.phantom.cervical.arch import FORAMEN_MM
from imaging.phantom.cervical.draw import draw_plan
from imaging.phantom.cervical.grids import series_grid
from imaging.phantom.cervical.paint import paint_neck
from imaging.phantom.cervical.place import Neck, place_neck
from imaging.phantom.cervical.plan import DiscPlan, NeckPlan, Plaque
from imaging.phantom.cervical.rules import (
    grade_canal,
    grade_compression,
    grade_foramen,
    grade_kang,
    grade_listhesis,
)
from imaging.phantom.cervical.scene import build_scene, scene_from_plan
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.cervical.truth import lordosis_deg, measure_truth
from imaging.phantom.grid import Box, Grid
from imaging.phantom.report import reference_report
from imaging.phantom.scene import Truth
from imaging.phantom.setup import Setup, load_setup
from imaging.phantom.tissues import Palette
from runtime.errors import ConfigError

LEVELS = ("C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1")
RULES = load_tables().rules


def quiet_plan(seed: int = 3) -> NeckPlan:
    """Return an unworn neck: every finding of the draw taken back."""
    plan = draw_plan(load_tables(), seed=seed)
    discs = tuple(
        replace(
            disc, height=disc.healthy_height, pfirrmann="I", nucleus_t2=210.0, bulge=0.0, focal=0.0,
            osteophyte=0.0, flavum=0.0, slip=0.0, uncus=(0.0, 0.0), facet=(0.0, 0.0), myelopathy=0.0,
        )
        for disc in plan.discs
    )  # fmt: skip
    return replace(plan, discs=discs, sway=0.0, dural_ap=11.4, cord_scale=1.0, root=4.0)


def with_disc(plan: NeckPlan, level: str, **changes: Any) -> NeckPlan:
    discs = tuple(replace(disc, **changes) if disc.name == level else disc for disc in plan.discs)
    return replace(plan, discs=discs)


def sick_plan() -> NeckPlan:
    """Return a neck with one kind of finding a level."""
    plan = with_disc(quiet_plan(), "C5-C6", bulge=5.6, osteophyte=2.5, flavum=1.8, myelopathy=10.0)
    plan = with_disc(plan, "C4-C5", slip=3.5, pfirrmann="IV", nucleus_t2=51.0)
    plan = with_disc(plan, "C3-C4", bulge=2.0, flavum=1.4)
    plan = with_disc(plan, "C6-C7", focal=3.6, focal_t=4.5, focal_spread=2.8, uncus=(3.0, 0.0), facet=(1.2, 0.0))
    plan = with_disc(plan, "C7-T1", uncus=(0.0, 2.4), slip=-3.0)
    healthy = plan.disc("C2-C3").healthy_height
    return with_disc(plan, "C2-C3", height=0.34 * healthy, pfirrmann="V", nucleus_t2=38.0)


def measured(plan: NeckPlan) -> tuple[Neck, Truth]:
    """Return the truth of a plan without taking images."""
    scene = scene_from_plan(plan, load_setup("setup_cervical"), palette=Palette())
    return scene.neck, scene.measure()


def small_setup() -> Setup:
    """Return the usual setup with fewer and smaller slices."""
    setup = load_setup("setup_cervical")
    series = tuple(
        replace(row, slices=5) if row.plane == "sagittal" else replace(row, rows=128, cols=128)
        for row in setup.series
    )
    return replace(setup, series=series)


def from_plan(plan: NeckPlan) -> Phantom:
    setup, palette = small_setup(), Palette()
    scene = scene_from_plan(plan, setup, palette=palette)
    return phantom_of(scene, palette, setup, seed=plan.seed)


def value(truth: Truth, name: str, level: str, side: Side | None = None) -> float:
    return next(
        item.value for item in truth.measurements if (item.name, item.level, item.side) == (name, level, side)
    )


def grade(truth: Truth, condition: Condition, level: str, side: Side | None = None, scale: str = "") -> str:
    return next(
        item.grade
        for item in truth.grades
        if (item.condition, item.level) == (condition, level)
        and (side is None or item.side is side)
        and (not scale or item.scale == scale)
    )


@pytest.fixture(scope="module")
def plans() -> list[NeckPlan]:
    return [draw_plan(load_tables(), seed=seed) for seed in range(400)]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return from_plan(draw_plan(load_tables(), seed=7))


@pytest.fixture(scope="module")
def quiet() -> Phantom:
    return from_plan(quiet_plan())


@pytest.fixture(scope="module")
def sick() -> Phantom:
    return from_plan(sick_plan())


def to_voxel(series: PhantomSeries, point: tuple[float, float, float]) -> np.ndarray:
    return (np.linalg.inv(series.affine) @ [*point, 1.0])[:3]


def voxel(series: PhantomSeries, point: tuple[float, float, float]) -> tuple[int, int, int]:
    i, j, k = np.rint(to_voxel(series, point)).astype(int)
    return int(i), int(j), int(k)


def test_the_same_seed_gives_the_same_phantom_and_another_seed_another(phantom: Phantom) -> None:
    again = build_phantom("cervical", seed=7)
    small = from_plan(draw_plan(load_tables(), seed=7))
    for one, other in zip(phantom.series, small.series, strict=True):
        assert np.array_equal(one.array, other.array)
        assert np.array_equal(one.label_array, other.label_array)
    assert phantom.truth() == small.truth()
    assert again.grades == phantom.grades
    assert again.measurements == phantom.measurements
    assert phantom.version == "cervical-phantom/1"
    assert again.series_by_role("sagittal_t2").array.shape == (320, 320, 15)
    assert draw_plan(load_tables(), seed=8) != draw_plan(load_tables(), seed=7)


def test_series_and_levels_are_those_of_the_protocol(phantom: Phantom) -> None:
    protocol = load_protocol("cervical")
    assert {role.name for role in protocol.roles} == {series.role for series in phantom.series}
    assert tuple(level.name for level in phantom.levels) == LEVELS == protocol.levels
    sagittal = phantom.series_by_role("sagittal_t2")
    for level in phantom.levels:
        assert sagittal.label_array[voxel(sagittal, level.centre_ras_mm)] == disc_label(level.name)


def test_labels_are_known_numbers_and_every_structure_is_there(phantom: Phantom) -> None:
    labels = set(np.unique(phantom.series_by_role("sagittal_t2").label_array).tolist())
    assert labels - {0} <= set(label_codes())
    names = ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3")
    assert {vertebra_label(name) for name in names} <= labels
    assert {disc_label(name) for name in LEVELS} <= labels
    assert {100, 101} <= labels


def test_every_grade_is_a_step_of_its_scale_and_all_conditions_are_graded(phantom: Phantom) -> None:
    for item in phantom.grades:
        assert item.grade in SCALES[item.scale].grades
        assert "/" in item.rule
    assert {item.condition for item in phantom.grades} == set(load_protocol("cervical").conditions)
    scales = {item.scale for item in phantom.grades if item.condition is Condition.CORD_COMPRESSION}
    assert scales == {"presence", "kang"}


def test_a_quiet_neck_has_no_finding(quiet: Phantom) -> None:
    wrong = [item for item in quiet.grades if item.grade not in {"absent", "normal_mild", "0", "I"}]
    assert wrong == []
    assert quiet.boxes == ()
    assert len(quiet.grades) == len(LEVELS) * (8 + 2)


def test_signals_come_in_the_order_of_the_tissues(quiet: Phantom) -> None:
    def mean(role: str, label: int) -> float:
        series = quiet.series_by_role(role)
        return float(series.array[series.label_array == label].mean())

    disc, vertebra, csf, cord = disc_label("C4-C5"), vertebra_label("C5"), 100, 101
    assert mean("sagittal_t2", csf) > 1.5 * mean("sagittal_t2", cord)
    assert mean("sagittal_t2", csf) > mean("sagittal_t2", vertebra)
    assert mean("sagittal_t1", csf) < mean("sagittal_t1", cord)
    assert mean("sagittal_t1", disc) < mean("sagittal_t1", vertebra)
    assert mean("sagittal_stir", vertebra) < 0.5 * mean("sagittal_stir", csf)
    assert mean("axial_t2", csf) > 1.5 * mean("axial_t2", cord)


def test_sizes_of_a_quiet_neck_are_those_of_the_tables() -> None:
    plan, tables = quiet_plan(), load_tables()
    neck, truth = measured(plan)
    shares, cord = tables.by_level("ap_share"), tables.by_level("cord_ap")
    for index, level in enumerate(LEVELS):
        assert value(truth, "canal_ap_diameter", level) == pytest.approx(plan.dural_ap * shares[index], abs=0.3)
        assert value(truth, "cord_ap_diameter", level) == pytest.approx(cord[index], abs=0.3)
        assert value(truth, "disc_height", level) == pytest.approx(plan.disc(level).height, abs=0.35)
        assert abs(value(truth, "listhesis", level)) < 1.0
        for side in (Side.LEFT, Side.RIGHT):
            assert value(truth, "foraminal_width", level, side) == pytest.approx(FORAMEN_MM, abs=0.5)
    # Kato: cord 78.1 mm2 at mid-C5, dural tube 134 mm2 (occupation rate 58.3 %).
    assert value(truth, "cord_area", "C4-C5") == pytest.approx(78.1, abs=8.0)
    assert value(truth, "dural_sac_area", "C4-C5") == pytest.approx(134.0, abs=14.0)
    assert neck.body("C5").height < neck.body("C7").height


def test_lordosis_is_the_drawn_one_and_goes_both_ways(plans: list[NeckPlan]) -> None:
    angles = [lordosis_deg(place_neck(plan, load_tables())) for plan in plans[:150]]
    assert np.mean(angles) == pytest.approx(11.0, abs=3.0)
    assert 0.05 < np.mean(np.array(angles) < 0) < 0.36  # 36 % are not lordotic standing
    straight = {"curvature": {"lordosis": {"mean": -8.0, "sd": 0.01}}}
    tables = load_tables(straight)
    # Worn discs keep less of their wedge, so the neck is a little straighter than drawn.
    assert lordosis_deg(place_neck(draw_plan(tables, seed=5), tables)) == pytest.approx(-8.0, abs=3.0)


def test_a_drawn_stenosis_presses_the_cord_and_is_graded(quiet: Phantom, sick: Phantom) -> None:
    assert sick.measurement("canal_ap_diameter", "C5-C6") < 5.9
    assert sick.grade(Condition.SPINAL_CANAL_STENOSIS, "C5-C6") == "severe"
    assert sick.measurement("cord_ap_diameter", "C5-C6") < 0.8 * quiet.measurement("cord_ap_diameter", "C5-C6")
    assert sick.measurement("cord_compression_ratio", "C5-C6") < 0.8
    assert sick.measurement("subarachnoid_share", "C5-C6") < 0.3
    assert sick.measurement("dural_sac_area", "C5-C6") < quiet.measurement("dural_sac_area", "C5-C6")
    kang = {item.level: item.grade for item in sick.grades if item.scale == "kang"}
    assert kang["C5-C6"] == "3"
    assert kang["C3-C4"] in {"0", "1"}
    assert kang["C4-C5"] == "0"
    assert [box.level for box in sick.boxes] == ["C5-C6"]


def test_a_compressed_cord_without_signal_change_is_kang_2_and_lost_space_alone_kang_1() -> None:
    plan = with_disc(quiet_plan(), "C5-C6", bulge=5.6, flavum=1.8)
    plan = with_disc(plan, "C3-C4", bulge=3.0, flavum=1.2)
    _, truth = measured(plan)
    assert grade(truth, Condition.CORD_COMPRESSION, "C5-C6", scale="kang") == "2"
    assert grade(truth, Condition.CORD_COMPRESSION, "C5-C6", scale="presence") == "present"
    assert value(truth, "cord_signal_area", "C5-C6") == 0.0
    assert grade(truth, Condition.CORD_COMPRESSION, "C3-C4", scale="kang") == "1"
    assert grade(truth, Condition.CORD_COMPRESSION, "C3-C4", scale="presence") == "absent"


def test_raised_signal_is_seen_on_t2_and_stir_inside_the_box(sick: Phantom) -> None:
    box = sick.boxes[0]
    for role in ("sagittal_t2", "sagittal_stir"):
        series = sick.series_by_role(role)
        k = voxel(series, sick.level("C5-C6").centre_ras_mm)[2]
        cord = series.label_array[:, :, k] == 101
        where = np.argwhere(cord)
        points = np.column_stack([where, np.full(len(where), k)]) @ series.affine[:3, :3].T + series.affine[:3, 3]
        inside = np.all((points >= box.low_ras_mm) & (points <= box.high_ras_mm), axis=1)
        far = np.abs(points[:, 2] - sick.level("C5-C6").centre_ras_mm[2]) > 25.0
        signal = series.array[:, :, k][cord]
        assert inside.sum() > 20
        assert np.percentile(signal[inside], 75) > 1.15 * np.median(signal[far])


def test_the_label_map_shows_what_was_measured(quiet: Phantom, sick: Phantom) -> None:
    for item in (quiet, sick):
        series = item.series_by_role("sagittal_t2")
        for level in ("C3-C4", "C5-C6"):
            i, j, k = voxel(series, item.level(level).posterior_ras_mm)
            column = series.label_array[i - 4 : i + 24, j - 4 : j + 5, k]
            tube, cord = ((column >= 100) & (column <= 101)).sum(axis=0), (column == 101).sum(axis=0)
            assert tube.min() * 0.75 == pytest.approx(item.measurement("canal_ap_diameter", level), abs=1.3)
            assert cord.min() * 0.75 == pytest.approx(item.measurement("cord_ap_diameter", level), abs=1.3)


def test_left_is_left_and_right_is_right(sick: Phantom) -> None:
    foramen = Condition.NEURAL_FORAMINAL_NARROWING
    assert sick.grade(foramen, "C6-C7", Side.LEFT) == "severe"
    assert sick.grade(foramen, "C6-C7", Side.RIGHT) == "normal_mild"
    assert sick.grade(foramen, "C7-T1", Side.LEFT) == "normal_mild"
    assert sick.grade(foramen, "C7-T1", Side.RIGHT) == "moderate"
    found = next(
        item for item in sick.grades if (item.level, item.condition) == ("C6-C7", Condition.DISC_HERNIATION)
    )
    assert (found.grade, found.side) == ("present", Side.RIGHT)
    series = sick.series_by_role("axial_t2")
    centre = sick.level("C6-C7").posterior_ras_mm
    voxels = (
        np.argwhere(series.label_array == disc_label("C6-C7")) @ series.affine[:3, :3].T + series.affine[:3, 3]
    )
    behind = voxels[voxels[:, 1] < centre[1] - 1.5]
    assert (behind[:, 0] - centre[0] > 1.0).sum() > 5 * (behind[:, 0] - centre[0] < -1.0).sum()


def test_a_mirrored_plan_swaps_the_sides() -> None:
    def mirror(disc: DiscPlan) -> DiscPlan:
        return replace(disc, focal_t=-disc.focal_t, uncus=disc.uncus[::-1], facet=disc.facet[::-1])

    plan = draw_plan(load_tables(), seed=21)
    _, truth = measured(plan)
    _, swapped = measured(replace(plan, sway=-plan.sway, discs=tuple(mirror(disc) for disc in plan.discs)))
    for level in LEVELS:
        for name in ("foraminal_width", "foraminal_root_share"):
            here, there = value(truth, name, level, Side.LEFT), value(swapped, name, level, Side.RIGHT)
            assert here == pytest.approx(there, abs=0.11)
        assert value(truth, "herniation_size", level) == pytest.approx(
            value(swapped, "herniation_size", level), abs=0.21
        )


def test_slips_go_forward_and_backward() -> None:
    neck, before = measured(quiet_plan())
    _, after = measured(sick_plan())
    for level, slip in (("C4-C5", 3.5), ("C7-T1", -3.0)):
        moved = value(after, "listhesis", level) - value(before, "listhesis", level)
        assert moved == pytest.approx(slip, abs=0.2)
        assert grade(after, Condition.SPONDYLOLISTHESIS, level) == "present"
    assert value(after, "listhesis_percent", "C4-C5") == pytest.approx(
        value(after, "listhesis", "C4-C5") / neck.body("C5").depth
    )


def test_collapse_is_measured_and_graded(sick: Phantom, quiet: Phantom) -> None:
    lost = sick.measurement("disc_height", "C2-C3") / quiet.measurement("disc_height", "C2-C3")
    assert lost == pytest.approx(0.34, abs=0.06)
    assert sick.grade(Condition.DISC_NARROWING, "C2-C3") == "present"
    assert sick.grade(Condition.DISC_DEGENERATION, "C2-C3") == "V"
    assert sick.grade(Condition.DISC_DEGENERATION, "C4-C5") == "IV"


def test_a_bulge_is_even_a_herniation_is_not_and_an_extrusion_is_taller_than_its_disc() -> None:
    plan = with_disc(quiet_plan(), "C4-C5", bulge=2.2)
    plan = with_disc(plan, "C5-C6", focal=3.4, focal_t=-4.0, focal_spread=2.8)
    plan = with_disc(plan, "C6-C7", focal=3.4, focal_t=0.0, focal_spread=2.8, focal_reach=3.5, focal_shift=-2.0)
    _, truth = measured(plan)
    assert grade(truth, Condition.DISC_BULGING, "C4-C5") == "present"
    assert grade(truth, Condition.DISC_HERNIATION, "C4-C5") == "absent"
    for level, side in (("C5-C6", Side.LEFT), ("C6-C7", None)):
        found = next(
            item for item in truth.grades if (item.level, item.condition) == (level, Condition.DISC_HERNIATION)
        )
        assert (found.grade, found.side) == ("present", side)
        assert grade(truth, Condition.DISC_BULGING, level) == "absent"
    assert value(truth, "herniation_size", "C5-C6") == pytest.approx(3.4, abs=0.8)
    protruded, extruded = (value(truth, "herniation_height_ratio", level) for level in ("C5-C6", "C6-C7"))
    assert protruded < RULES["outline"]["extrusion_ratio"] < extruded


@pytest.mark.parametrize(
    ("ap", "expected"), [(7.7, "normal_mild"), (7.6, "moderate"), (5.9, "moderate"), (5.8, "severe")]
)
def test_canal_rule_at_its_borders(ap: float, expected: str) -> None:
    assert grade_canal(ap, RULES) == (expected, "canal_ap_kato/1")


@pytest.mark.parametrize(
    ("space", "ratio", "signal", "kang", "compressed"),
    [
        (0.8, 1.0, False, "0", "absent"),
        (0.49, 0.95, False, "1", "absent"),
        (0.1, 0.84, False, "2", "present"),
        (0.1, 0.84, True, "3", "present"),
        (0.9, 1.0, True, "0", "absent"),
    ],
)
def test_kang_rule_step_by_step(space: float, ratio: float, signal: bool, kang: str, compressed: str) -> None:
    found = grade_kang(space, ratio, signal, RULES)
    assert found == (kang, "kang_geometry/1")
    assert grade_compression(found)[0] == compressed


def test_foramen_and_slip_rules_at_their_borders() -> None:
    assert [grade_foramen(width, 4.0, RULES)[0] for width in (4.1, 4.0, 2.1, 2.0)] == [
        "normal_mild", "moderate", "moderate", "severe",
    ]  # fmt: skip
    assert [grade_listhesis(slip, RULES)[0] for slip in (2.0, 2.1, -2.1)] == ["absent", "present", "present"]


@pytest.mark.parametrize("level", LEVELS)
def test_findings_are_drawn_at_the_rates_of_the_tables(plans: list[NeckPlan], level: str) -> None:
    tables = load_tables()
    row, discs = tables.prevalence[level], [plan.disc(level) for plan in plans]
    aps = [plan.dural_ap * tables.by_level("ap_share")[list(tables.discs).index(level)] for plan in plans]
    gap = tables.canal["anterior_gap"]
    narrow = [ap - disc.midline_push(gap) for ap, disc in zip(aps, discs, strict=True)]
    expected = {
        "herniation": (np.mean([disc.focal > 0 for disc in discs]), row.herniation / row.n),
        "slip": (np.mean([disc.slip != 0 for disc in discs]), row.slip / row.n),
        "severe": (np.mean(np.array(narrow) < 5.9), row.canal[2] / row.n),
        "narrow": (np.mean(np.array(narrow) < 7.7), (row.canal[1] + row.canal[2]) / row.n),
        "foramen": (
            np.mean([sum(pair) > 0.8 for disc in discs for pair in zip(disc.uncus, disc.facet, strict=True)]),
            (row.foramen[1] + row.foramen[2]) / row.n,
        ),
        "collapsed": (np.mean([disc.pfirrmann == "V" for disc in discs]), row.pfirrmann[4] / row.n),
    }
    for name, (found, rate) in expected.items():
        # Three standard deviations of a share of 400; a little more as one patient's levels hang together.
        assert abs(found - rate) < 3.2 * np.sqrt(rate * (1 - rate) / 400) + 0.012, name


def test_raised_signal_is_rare_above_and_below_the_middle_levels_and_only_where_the_cord_is_pressed(
    plans: list[NeckPlan],
) -> None:
    counts = {level: sum(plan.disc(level).myelopathy > 0 for plan in plans) for level in LEVELS}
    assert 15 <= sum(counts.values()) <= 90
    assert counts["C5-C6"] + counts["C6-C7"] > 0.4 * sum(counts.values())  # 68 % of compressions (Nakashima)
    assert counts["C2-C3"] + counts["C7-T1"] <= 6
    for plan in plans:
        for disc in plan.discs:
            assert disc.myelopathy == 0 or disc.bulge + disc.flavum + disc.focal + abs(disc.slip) > 2.0


def test_old_necks_are_more_worn_than_young_ones(plans: list[NeckPlan]) -> None:
    worn = {
        old: np.mean(
            [disc.pfirrmann in ("IV", "V") for p in plans if (p.age_years > 53) is old for disc in p.discs[:6]]
        )
        for old in (True, False)
    }
    assert worn[True] > 1.5 * worn[False]


def test_measured_truth_follows_the_drawn_canal() -> None:
    tables = load_tables()
    drawn, found = [], []
    for seed in range(60, 64):
        plan = draw_plan(tables, seed=seed)
        truth = measure_truth(*_scene(plan))
        for index, level in enumerate(LEVELS):
            disc = plan.disc(level)
            ap = plan.dural_ap * tables.by_level("ap_share")[index]
            drawn.append(ap - disc.midline_push(tables.canal["anterior_gap"]))
            found.append(value(truth, "canal_ap_diameter", level))
    assert np.abs(np.array(drawn) - found).max() < 0.8
    assert abs(np.mean(np.array(found) - drawn)) < 0.25


def _scene(plan: NeckPlan) -> tuple[Neck, Palette]:
    palette = Palette()
    return scene_from_plan(plan, load_setup("setup_cervical"), palette=palette).neck, palette


def test_unknown_keys_of_the_tables_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected one of .*, got 'lordose'"):
        load_tables({"curvature": {"lordose": 3.0}})


class _Unboxed(Canvas):
    """A canvas that gives everything where a part is asked for."""

    def view(self, box: Box) -> View:
        del box
        return self.whole()


def test_no_box_cuts_a_labelled_shape() -> None:
    row = load_setup("setup_cervical").series[1]
    row = replace(row, rows=120, cols=120, pixel=2.0, slices=7, spacing=6.0)
    neck, palette = _scene(draw_plan(load_tables(), seed=34))
    grid = Grid(*series_grid(row, neck))
    boxed, free = Canvas(grid), _Unboxed(grid)
    paint_neck(boxed, neck, palette, with_soft=False)
    paint_neck(free, neck, palette, with_soft=False)
    assert np.count_nonzero(boxed.label) > 3000
    assert np.array_equal(boxed.label, free.label)


def test_a_plaque_in_an_open_canal_is_no_compression_and_is_told() -> None:
    plan = replace(quiet_plan(), plaque=Plaque("C4", 14.0, 0.1), haemangioma="C6")
    _, truth = measured(plan)
    assert truth.details["cord_plaque"] == "C4"
    assert truth.details["haemangioma"] == "C6"
    assert {item.grade for item in truth.grades if item.scale == "kang"} == {"0"}
    phantom = from_plan(plan)
    series = phantom.series_by_role("sagittal_t1")
    brightest = {
        name: np.percentile(series.array[series.label_array == vertebra_label(name)], 97) for name in ("C5", "C6")
    }
    assert brightest["C6"] > 1.05 * brightest["C5"]


def test_the_reference_report_says_what_was_graded(quiet: Phantom, sick: Phantom) -> None:
    text = reference_report(sick)
    assert "C5-C6: " in text
    assert "Severe spinal canal stenosis, canal AP diameter" in text
    assert "1. Cord compression at C5-C6, Kang grade 3." in text
    assert "Right paracentral disc protrusion at C6-C7." in text
    assert "Anterolisthesis at C4-C5." in text
    assert "Retrolisthesis at C7-T1." in text
    assert "Severe left neural foraminal narrowing at C6-C7." in text
    assert "{" not in text
    healthy = reference_report(quiet)
    assert healthy.count("No disc herniation, no spinal canal stenosis") == len(LEVELS)
    assert "1. No spinal canal stenosis, no cord compression and no disc herniation." in healthy


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("test_cervical", "64797d1425e82f4a"),
        ("test_cervical_shifted", "8b76143f526a73a6"),
    ],
)
def test_the_frozen_test_sets_have_not_changed(name: str, digest: str) -> None:
    setup = load_setup(name)
    assert setup.seeds["count"] == 60
    palette = Palette()
    truth = build_scene(setup, seed=setup.seeds["first"], palette=palette).measure()
    facts = [
        [(level.name, [round(value, 1) for value in level.centre_ras_mm]) for level in truth.levels],
        [(item.level, str(item.side), item.condition.value, item.scale, item.grade) for item in truth.grades],
        [(item.level, str(item.side), item.name, round(item.value, 1)) for item in truth.measurements],
    ]
    assert hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16] == digest
