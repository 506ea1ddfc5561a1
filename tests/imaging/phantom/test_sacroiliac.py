"""The sacroiliac phantom against its own geometry: sides, sizes, every lesion, scores and stages."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from anatomy import SCALES, Condition, Side
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.report import reference_report
from imaging.phantom.sacroiliac.plan import Bone, JointPlan, Lesion, LesionKind, PelvisPlan, draw_plan
from imaging.phantom.sacroiliac.rules import JointFacts, is_asas_positive, sparcc_scores, stage_of
from imaging.phantom.sacroiliac.scene import SacroiliacScene, scene_from_plan
from imaging.phantom.sacroiliac.tables import load_tables
from imaging.phantom.scene import Truth
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from runtime.errors import ConfigError
from tests.built_phantoms import built_phantom

RULES = load_tables().rules
SETUP = load_setup("setup_sacroiliac")
OEDEMA = Lesion(LesionKind.OEDEMA, Bone.SACRUM, 0.3, 0.0, 12.0, 12.0, 8.0)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return built_phantom("sacroiliac", 1)


def quiet_plan() -> PelvisPlan:
    """Return a pelvis of mean size without any lesion."""
    plan = draw_plan(load_tables(), seed=3)
    joints = (JointPlan(Side.LEFT, 2.3, ()), JointPlan(Side.RIGHT, 2.3, ()))
    return replace(plan, scale=1.0, tilt=0.8, half_distance=44.0, slope_forward=0.45, slope_up=0.25, joints=joints)


def scene_with(*left: Lesion, width: float = 2.3) -> SacroiliacScene:
    plan = quiet_plan()
    joints = (JointPlan(Side.LEFT, width, left), plan.joints[1])
    return scene_from_plan(replace(plan, joints=joints), SETUP, palette=Palette())


@cache
def truth_with(*left: Lesion, width: float = 2.3) -> Truth:
    return scene_with(*left, width=width).measure()


def measured(truth: Truth, name: str, side: Side | None = Side.LEFT) -> float:
    return next(item.value for item in truth.measurements if item.name == name and item.side is side)


def graded(truth: Truth, side: Side | None) -> str:
    return next(item.grade for item in truth.grades if item.side is side)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_phantom(phantom: Phantom) -> None:
    again = build_phantom("sacroiliac", seed=1)
    assert again.truth() == phantom.truth()
    for first, second in zip(phantom.series, again.series, strict=True):
        assert np.array_equal(first.array, second.array)


def test_series_labels_and_grades_are_those_of_the_protocol(phantom: Phantom) -> None:
    assert [series.role for series in phantom.series] == ["coronal_t1", "coronal_stir"]
    labels = set(np.unique(phantom.series[0].label_array)) - {0}
    assert labels == {1, 50, 51, 52, 53, 54, 100, 201}
    assert {grade.scale for grade in phantom.grades} == {"as_status", "as_stage"}
    for grade in phantom.grades:
        assert grade.condition is Condition.SACROILIITIS
        assert grade.grade in SCALES[grade.scale].grades


@pytest.mark.parametrize(("label", "sign"), [(51, -1.0), (52, 1.0), (53, -1.0), (54, 1.0)])
def test_left_is_left(phantom: Phantom, label: int, sign: float) -> None:
    series = phantom.series_by_role("coronal_t1")
    world = np.argwhere(series.label_array == label) @ series.affine[:3, :3].T + series.affine[:3, 3]
    assert (np.sign(world[:, 0]) == sign).all()


def test_columns_run_to_the_left_and_rows_to_the_feet(phantom: Phantom) -> None:
    affine = phantom.series[0].affine
    assert affine[0, 0] < 0
    assert affine[2, 1] < 0


def test_a_healthy_pelvis_has_nothing() -> None:
    truth = truth_with()
    assert measured(truth, "sparcc_inflammation", None) == 0
    assert graded(truth, None) == "negative"
    for side in (Side.LEFT, Side.RIGHT):
        assert graded(truth, side) == "normal"
        for name in ("oedema_volume", "erosion_count", "sclerosis_depth", "fat_area", "bridged_share"):
            assert measured(truth, name, side) == 0
    assert truth.boxes == ()


@pytest.mark.parametrize("width", [1.6, 2.3, 3.0])
def test_the_joint_is_as_wide_as_drawn(width: float) -> None:
    assert measured(truth_with(width=width), "joint_space_width") == pytest.approx(width, abs=0.25)


def test_oedema_lies_where_it_was_put_and_on_its_side() -> None:
    truth = truth_with(OEDEMA)
    # The half of an ellipsoid that lies in the bone, in the stretched coordinates of the joint's surface.
    half_ellipsoid = 2 / 3 * np.pi * 12.0 * 12.0 * 8.0
    assert measured(truth, "oedema_volume") == pytest.approx(half_ellipsoid, rel=0.3)
    assert measured(truth, "oedema_depth") == pytest.approx(8.0 + 2.3 / 2, abs=0.8)
    assert measured(truth, "oedema_volume", Side.RIGHT) == 0
    assert graded(truth, None) == "positive"
    assert graded(truth, Side.LEFT) == "early"
    assert graded(truth, Side.RIGHT) == "normal"


def test_sparcc_counts_quadrants_depth_and_brightness() -> None:
    upper = Lesion(LesionKind.OEDEMA, Bone.ILIUM, 0.55, 0.0, 7.0, 12.0, 6.0)
    rows = [row for row in truth_with(upper).details["sparcc"] if row["side"] == "left"]
    assert any(row["upper_ilium"] for row in rows)
    assert not any(row["lower_ilium"] or row["upper_sacrum"] or row["lower_sacrum"] for row in rows)
    assert not any(row["deep"] or row["intense"] for row in rows)
    bright = replace(upper, depth_mm=13.0, is_intense=True)
    rows = [row for row in truth_with(bright).details["sparcc"] if row["side"] == "left"]
    assert any(row["deep"] and row["intense"] for row in rows)
    assert measured(truth_with(bright), "sparcc_inflammation", None) == sum(
        row[name] for row in truth_with(bright).details["sparcc"] for name in row if name not in ("slice", "side")
    )


def test_boxes_hold_the_lesions() -> None:
    truth = truth_with(OEDEMA)
    (box,) = truth.boxes
    assert (box.label, box.side) == ("bone_marrow_oedema", Side.LEFT)
    assert box.high_ras_mm[0] < 0
    assert all(low < high for low, high in zip(box.low_ras_mm, box.high_ras_mm, strict=True))


def test_erosions_are_counted_and_widen_the_joint() -> None:
    erosions = tuple(
        Lesion(LesionKind.EROSION, Bone.ILIUM, place, 0.0, 3.0, 5.0, 3.0) for place in (-0.6, 0.0, 0.6)
    )
    truth = truth_with(*erosions)
    assert measured(truth, "erosion_count") == 3
    assert measured(truth, "joint_space_width") > measured(truth_with(), "joint_space_width") + 0.1
    assert graded(truth, Side.LEFT) == "moderate"
    assert graded(truth, None) == "negative"


@pytest.mark.parametrize("kind", [LesionKind.FAT, LesionKind.SCLEROSIS, LesionKind.BACKFILL])
def test_structural_lesions_make_the_stage_moderate(kind: LesionKind) -> None:
    lesion = Lesion(kind, Bone.SACRUM, 0.0, 0.0, 12.0, 12.0, 7.0)
    assert graded(truth_with(lesion), Side.LEFT) == "moderate"


def test_bridges_make_the_stage_advanced() -> None:
    part = Lesion(LesionKind.BRIDGE, Bone.BOTH, 0.0, 0.0, 14.0, 30.0, 4.0)
    whole = replace(part, along_mm=80.0, through_mm=60.0)
    assert 0.25 < measured(truth_with(part), "bridged_share") < 0.8
    assert graded(truth_with(part), Side.LEFT) == "advanced"
    assert measured(truth_with(whole), "bridged_share") > 0.95
    assert graded(truth_with(whole), Side.RIGHT) == "normal"


def facts(**changes: object) -> JointFacts:
    empty = JointFacts(
        side=Side.LEFT,
        quadrant_mm2=np.zeros((8, 4)),
        is_intense=np.zeros(8, dtype=bool),
        deep_mm=np.zeros(8),
        lesions_per_slice=np.zeros(8, dtype=np.int64),
        is_joint_slice=np.ones(8, dtype=bool),
        oedema_mm3=0.0,
        erosions=0,
        sclerosis_mm=0.0,
        sclerosis_mm2=0.0,
        fat_mm2=0.0,
        backfill_mm2=0.0,
        bridged_share=0.0,
        width_mm=2.3,
    )
    return replace(empty, **changes)  # type: ignore[arg-type]


def test_asas_wants_two_slices_or_two_lesions() -> None:
    one = np.zeros((8, 4))
    one[3, 0] = 20.0
    single = facts(quadrant_mm2=one, lesions_per_slice=np.eye(8, dtype=np.int64)[3])
    assert not is_asas_positive(single, RULES)
    assert is_asas_positive(replace(single, lesions_per_slice=2 * single.lesions_per_slice), RULES)
    two = one.copy()
    two[4, 0] = 20.0
    assert is_asas_positive(replace(single, quadrant_mm2=two), RULES)
    apart = one.copy()
    apart[5, 0] = 20.0
    assert not is_asas_positive(replace(single, quadrant_mm2=apart), RULES)


def test_sparcc_reaches_72_and_takes_the_worst_six_slices() -> None:
    full = facts(quadrant_mm2=np.full((8, 4), 50.0), is_intense=np.ones(8, dtype=bool), deep_mm=np.full(8, 12.0))
    assert sparcc_scores((full, replace(full, side=Side.RIGHT)), RULES)[0] == 72
    late = np.zeros((8, 4))
    late[7, 2] = 50.0
    score, rows = sparcc_scores((facts(quadrant_mm2=late),), RULES)
    assert score == 1
    assert [row["slice"] for row in rows] == [2, 3, 4, 5, 6, 7]


def test_stages_are_ordered() -> None:
    assert stage_of(facts(), RULES) == "normal"
    assert stage_of(facts(erosions=1), RULES) == "normal"
    assert stage_of(facts(erosions=2), RULES) == "moderate"
    assert stage_of(facts(erosions=5, bridged_share=0.3), RULES) == "advanced"
    assert stage_of(facts(width_mm=0.5), RULES) == "advanced"


def test_prevalences_are_those_of_the_tables() -> None:
    plans = [draw_plan(load_tables(), seed=seed) for seed in range(600)]
    sick = [any(len(joint.lesions) > 3 or _is_structural(joint) for joint in plan.joints) for plan in plans]
    # 53 % have the disease, but a mild one may show little: between the two bounds of a binomial at 600.
    assert 0.25 < np.mean(sick) < 0.60
    men = np.mean([plan.sex == "M" for plan in plans])
    assert men == pytest.approx(0.52, abs=3 * np.sqrt(0.25 / 600))
    ages = [plan.age_years for plan in plans]
    assert np.mean(ages) == pytest.approx(36.0, abs=1.5)
    young = [joint.width for plan in plans if plan.age_years < 40 for joint in plan.joints if not joint.lesions]
    assert np.mean(young) == pytest.approx(2.3, abs=0.08)


def _is_structural(joint: JointPlan) -> bool:
    return any(lesion.kind in (LesionKind.EROSION, LesionKind.BRIDGE) for lesion in joint.lesions)


def test_every_stage_occurs() -> None:
    stages = set()
    for seed in (0, 9, 13):
        scene = scene_from_plan(draw_plan(load_tables(), seed=seed), SETUP, palette=Palette())
        stages |= {grade.grade for grade in scene.measure().grades}
    assert {"normal", "early", "moderate", "advanced", "positive"} <= stages


def test_an_unknown_table_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected one of .*, got 'hip'"):
        load_tables({"hip": {}})


def test_the_reference_report_says_the_truth(phantom: Phantom) -> None:
    text = reference_report(phantom)
    assert "Left sacroiliac joint: No subchondral bone marrow oedema. No erosion." in text
    assert "Right sacroiliac joint: Subchondral bone marrow oedema of" in text
    assert "SPARCC inflammation score 9 of 72." in text
    assert "1. MRI positive for sacroiliitis (ASAS)." in text
    assert "2. Right: moderate sacroiliitis with structural damage." in text
    assert "Left:" not in text.split("## Impression")[1]
