"""The cervical phantom against its own geometry: determinism, sides, sizes and pathologies."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import SCALES, Condition, Side, disc_label, load_protocol, vertebra_label
from anatomy.structures import label_codes
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.cervical.arch import FORAMEN_MM
from imaging.phantom.cervical.draw import draw_plan
from imaging.phantom.cervical.place import place_neck
from imaging.phantom.cervical.plan import DiscPlan, NeckPlan
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.cervical.truth import lordosis_deg
from tests.imaging.phantom.cervical_plans import (
    LEVELS,
    RULES,
    drawn_plans,
    from_plan,
    grade,
    measured,
    quiet_phantom,
    quiet_plan,
    sick_phantom,
    sick_plan,
    value,
    voxel,
    with_disc,
)


@pytest.fixture(scope="module")
def plans() -> tuple[NeckPlan, ...]:
    return drawn_plans()


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return from_plan(draw_plan(load_tables(), seed=7))


@pytest.fixture(scope="module")
def quiet() -> Phantom:
    return quiet_phantom()


@pytest.fixture(scope="module")
def sick() -> Phantom:
    return sick_phantom()


@pytest.mark.slow
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


def test_lordosis_is_the_drawn_one_and_goes_both_ways(plans: tuple[NeckPlan, ...]) -> None:
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
