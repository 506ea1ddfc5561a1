"""The phantom against its own geometry: determinism, frames, sides, sizes, grades."""

import numpy as np
import pytest

from anatomy import SCALES, Condition, Side, disc_label, load_protocol, vertebra_label
from anatomy.structures import label_codes
from imaging.phantom import (
    Phantom,
    PhantomSeries,
    build_phantom,
    phantom_picture,
    random_phantoms,
)
from imaging.phantom.lumbar.discs import add_disc_tissues
from imaging.phantom.lumbar.draw import draw_plan
from imaging.phantom.lumbar.place import place_spine
from imaging.phantom.lumbar.rules import grade_modic
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.tissues import Palette
from runtime.errors import ConfigError
from tests.built_phantoms import built_phantom
from tests.imaging.phantom.lumbar_plans import LEVELS, from_plan, quiet_phantom, quiet_plan, with_disc


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return built_phantom("lumbar")


@pytest.fixture(scope="module")
def quiet() -> Phantom:
    return quiet_phantom()


@pytest.fixture(scope="module")
def sick() -> Phantom:
    plan = with_disc(quiet_plan(), "L4-L5", slip=6.0, canal_ap=8.5, pfirrmann="IV", nucleus_t2=51.0)
    plan = with_disc(plan, "L3-L4", foramen_width=(1.2, 6.0), modic=1, bulge=2.5, pit_below=2.5)
    plan = with_disc(plan, "L5-S1", focal=5.0, focal_t=6.0, foramen_width=(6.0, 2.9))
    healthy = plan.disc("L2-L3").healthy_height
    return from_plan(with_disc(plan, "L2-L3", height=0.35 * healthy, pfirrmann="V", nucleus_t2=38.0))


def to_voxel(series: PhantomSeries, point: tuple[float, float, float]) -> np.ndarray:
    return (np.linalg.inv(series.affine) @ [*point, 1.0])[:3]


def mean_signal(series: PhantomSeries, label: int) -> float:
    middle = series.array.shape[2] // 2
    return float(series.array[:, :, middle][series.label_array[:, :, middle] == label].mean())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_phantom_and_another_seed_another(phantom: Phantom) -> None:
    again = next(random_phantoms("lumbar", 2, 7))
    for first, second in zip(phantom.series, again.series, strict=True):
        assert np.array_equal(first.array, second.array)
        assert np.array_equal(first.label_array, second.label_array)
    assert phantom.truth() == again.truth()
    assert phantom.name == again.name == "phantom_0007"
    assert draw_plan(load_tables(), seed=8) != draw_plan(load_tables(), seed=7)


def test_a_protocol_without_phantom_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"phantom setup: expected one of .*, got 'setup_knee'"):
        build_phantom("knee", seed=1)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 or more, got -1"):
        build_phantom("lumbar", seed=-1)


def test_series_have_the_roles_and_storage_order_of_the_contract(phantom: Phantom) -> None:
    assert [series.role for series in phantom.series] == ["sagittal_t1", "sagittal_t2", "axial_t2"]
    sagittal = phantom.series_by_role("sagittal_t2")
    assert sagittal.array.shape == (384, 384, 15)
    step = sagittal.affine[:3, :3]
    assert step[:, 0] == pytest.approx([0.0, -0.73, 0.0])  # columns run to the back
    assert step[:, 1] == pytest.approx([0.0, 0.0, -0.73])  # rows run to the feet
    axial = phantom.series_by_role("axial_t2")
    assert axial.affine[0, 0] == pytest.approx(-0.7)  # columns run to the patient's left
    assert axial.affine[2, 2] > 0
    with pytest.raises(KeyError, match="sagittal_stir"):
        phantom.series_by_role("sagittal_stir")


def test_levels_are_those_of_the_protocol_and_lie_in_view_on_their_own_disc(phantom: Phantom) -> None:
    assert tuple(level.name for level in phantom.levels) == LEVELS == load_protocol("lumbar").levels
    series = phantom.series_by_role("sagittal_t2")
    for level in phantom.levels:
        i, j, k = np.rint(to_voxel(series, level.centre_ras_mm)).astype(int)
        assert series.label_array[i, j, k] == disc_label(level.name)


def test_the_posterior_point_is_the_border_between_disc_and_canal(quiet: Phantom) -> None:
    series = quiet.series_by_role("sagittal_t2")
    for level in quiet.levels:
        i, j, k = to_voxel(series, level.posterior_ras_mm)
        row = series.label_array[:, round(j), round(k)]
        discs = np.nonzero(row == disc_label(level.name))[0]
        assert abs(discs.max() + 0.5 - i) <= 1.6  # a voxel, and half a row of a tilted disc's edge


def test_labels_are_known_numbers_and_every_structure_is_there(phantom: Phantom) -> None:
    labels = set(np.unique(phantom.series_by_role("sagittal_t2").label_array).tolist())
    assert labels - {0} <= set(label_codes())
    assert {vertebra_label(name) for name in ("T12", "L1", "L2", "L3", "L4", "L5")} <= labels
    assert {disc_label(name) for name in LEVELS} <= labels
    assert {50, 100} <= labels


def test_label_maps_agree_between_the_sagittal_and_the_axial_grid(quiet: Phantom) -> None:
    sagittal, axial = quiet.series_by_role("sagittal_t2"), quiet.series_by_role("axial_t2")
    k = int(np.rint(to_voxel(axial, quiet.level("L3-L4").centre_ras_mm))[2])
    columns, rows = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    points = axial.affine @ np.stack([columns, rows, np.full_like(rows, k), np.ones_like(rows)]).reshape(4, -1)
    ijk = np.linalg.inv(sagittal.affine) @ points
    nearest = np.rint(ijk[:3]).astype(int)
    on_slice = (np.abs(ijk[2] - nearest[2]) < 0.05) & np.all(
        (nearest >= 0) & (nearest < np.array([[384], [384], [15]])), axis=0
    )
    there = sagittal.label_array[tuple(nearest[:, on_slice])]
    here = axial.label_array[columns.ravel()[on_slice], rows.ravel()[on_slice], k]
    assert on_slice.sum() > 1000
    assert (here == there).mean() > 0.96  # borders may differ by a rounding
    assert (here[there == disc_label("L3-L4")] == disc_label("L3-L4")).mean() > 0.9


def test_signal_is_that_of_the_labelled_tissue(quiet: Phantom) -> None:
    t1, t2 = quiet.series_by_role("sagittal_t1"), quiet.series_by_role("sagittal_t2")
    disc, vertebra, canal = disc_label("L3-L4"), vertebra_label("L3"), 100
    assert mean_signal(t2, canal) > 1.2 * mean_signal(t2, vertebra)  # bright CSF on T2
    assert mean_signal(t1, canal) < 0.7 * mean_signal(t1, vertebra)  # dark CSF on T1
    assert mean_signal(t1, disc) < mean_signal(t1, vertebra)


def test_the_nucleus_darkens_with_the_pfirrmann_grade(quiet: Phantom, sick: Phantom) -> None:
    def share(level: str) -> float:
        before, after = (
            mean_signal(item.series_by_role("sagittal_t2"), disc_label(level)) for item in (quiet, sick)
        )
        return after / before

    assert share("L3-L4") == pytest.approx(1.0, abs=0.15)  # grade I in both
    assert share("L4-L5") < 0.5  # IV
    assert share("L2-L3") < 0.5  # V


def test_a_quiet_spine_has_no_finding(quiet: Phantom) -> None:
    wrong = [grade for grade in quiet.grades if grade.grade not in {"absent", "normal_mild", "0", "I"}]
    assert wrong == []
    assert len(quiet.grades) == len(LEVELS) * 9 + 5 * 4  # foramina and recesses are graded from L1-L2 down


def test_every_grade_is_a_step_of_its_scale_and_names_its_rule(phantom: Phantom) -> None:
    for grade in phantom.grades:
        assert grade.grade in SCALES[grade.scale].grades
        assert "/" in grade.rule
    conditions = {grade.condition for grade in phantom.grades}
    assert set(load_protocol("lumbar").conditions) <= conditions


def test_disc_height_is_the_drawn_one_and_is_seen_in_the_label_map(quiet: Phantom, sick: Phantom) -> None:
    for level in LEVELS:
        drawn = quiet_plan().disc(level).healthy_height
        assert quiet.measurement("disc_height", level) == pytest.approx(drawn, abs=0.5)
    lost = sick.measurement("disc_height", "L2-L3") / quiet.measurement("disc_height", "L2-L3")
    assert lost == pytest.approx(0.35, abs=0.06)
    for item in (quiet, sick):
        level = item.level("L2-L3")
        series = item.series_by_role("sagittal_t2")
        i, _, k = np.rint(to_voxel(series, level.centre_ras_mm)).astype(int)
        column = (series.label_array[i - 3 : i + 4, :, k] == disc_label("L2-L3")).sum(axis=1).mean() * 0.73
        assert column == pytest.approx(item.measurement("disc_height", "L2-L3"), abs=0.8)


def test_narrowing_follows_the_height(quiet: Phantom, sick: Phantom) -> None:
    assert quiet.grade(Condition.DISC_NARROWING, "L2-L3") == "absent"
    assert sick.grade(Condition.DISC_NARROWING, "L2-L3") == "present"
    assert sick.grade(Condition.DISC_DEGENERATION, "L2-L3") == "V"


def test_canal_diameter_is_the_sac_of_a_quiet_spine_and_narrows_where_it_was_drawn(
    quiet: Phantom, sick: Phantom
) -> None:
    sac = quiet_plan().sac_ap
    assert quiet.measurement("canal_ap_diameter", "L3-L4") == pytest.approx(sac, abs=0.4)
    assert sick.measurement("canal_ap_diameter", "L4-L5") < 10.0
    assert sick.grade(Condition.SPINAL_CANAL_STENOSIS, "L4-L5") == "severe"
    assert quiet.grade(Condition.SPINAL_CANAL_STENOSIS, "L4-L5") == "normal_mild"
    assert sick.measurement("dural_sac_area", "L4-L5") < quiet.measurement("dural_sac_area", "L4-L5")


def least_canal_mm(series: PhantomSeries, point: tuple[float, float, float]) -> float:
    """Return the least width of the canal in the label map, over rays that leave a point to the back."""
    pixel = float(np.linalg.norm(series.affine[:3, 0]))
    i, j, k = to_voxel(series, point)
    canal = series.label_array[:, :, round(float(k))] == 100
    steps = np.arange(0.0, 30.0, 0.1) / pixel
    widths = []
    for degrees in range(-50, 51, 2):
        ray_i = np.rint(i + steps * np.cos(np.radians(degrees))).astype(int)
        ray_j = np.rint(j + steps * np.sin(np.radians(degrees))).astype(int)
        inside = canal[ray_i.clip(0, canal.shape[0] - 1), ray_j.clip(0, canal.shape[1] - 1)]
        first = int(np.argmax(inside))
        if inside.any() and first < 60:
            run = inside[first:]
            widths.append((int(np.argmin(run)) if not run.all() else len(run)) * 0.1)
    return min(width for width in widths if width > 4.0)  # less is a ray that grazes a voxel's corner


def test_canal_diameter_is_seen_in_the_label_map(quiet: Phantom, sick: Phantom) -> None:
    for item in (quiet, sick):
        series = item.series_by_role("sagittal_t2")
        for name in ("L2-L3", "L3-L4", "L4-L5"):
            seen = least_canal_mm(series, item.level(name).posterior_ras_mm)
            assert seen == pytest.approx(item.measurement("canal_ap_diameter", name), abs=0.75)  # a voxel


def test_slip_is_the_drawn_one_and_forward(quiet: Phantom, sick: Phantom) -> None:
    before, after = (item.measurement("listhesis", "L4-L5") for item in (quiet, sick))
    assert after - before == pytest.approx(6.0, abs=0.1)
    assert sick.grade(Condition.SPONDYLOLISTHESIS, "L4-L5") == "present"
    assert quiet.grade(Condition.SPONDYLOLISTHESIS, "L4-L5") == "absent"
    assert sick.measurement("listhesis_percent", "L4-L5") == pytest.approx(after / 36.0, abs=0.03)


def test_left_is_left_and_right_is_right(sick: Phantom) -> None:
    foramen = Condition.NEURAL_FORAMINAL_NARROWING
    assert sick.grade(foramen, "L3-L4", Side.LEFT) == "severe"
    assert sick.grade(foramen, "L3-L4", Side.RIGHT) == "normal_mild"
    assert sick.grade(foramen, "L5-S1", Side.LEFT) == "normal_mild"
    assert sick.grade(foramen, "L5-S1", Side.RIGHT) == "moderate"
    assert sick.measurement("foraminal_width", "L3-L4", Side.LEFT) < 2.0
    herniation = next(
        item for item in sick.grades if item.level == "L5-S1" and item.condition is Condition.DISC_HERNIATION
    )
    assert (herniation.grade, herniation.side) == ("present", Side.RIGHT)


def test_a_right_herniation_lies_at_positive_x_in_the_axial_label_map(quiet: Phantom, sick: Phantom) -> None:
    label, counts = disc_label("L5-S1"), []
    for item in (quiet, sick):
        series = item.series_by_role("sagittal_t2")
        inside = np.argwhere(series.label_array == label) @ series.affine[:3, :3].T + series.affine[:3, 3]
        behind = inside[:, 1] < item.level("L5-S1").centre_ras_mm[1] - 15.0
        x = inside[behind, 0]
        counts.append(((x > 1).sum(), (x < -1).sum()))
    assert counts[1][0] - counts[0][0] >= 5  # more disc behind on the right than in the quiet spine
    assert abs(counts[1][1] - counts[0][1]) <= 3  # and no more on the left


def test_the_aorta_lies_on_the_left_and_the_liver_on_the_right(quiet: Phantom) -> None:
    series = quiet.series_by_role("axial_t2")
    body = quiet.level("L2-L3").centre_ras_mm
    i, j, k = np.rint(to_voxel(series, (-11.0, body[1] + 28.0, body[2]))).astype(int)
    around = series.array[i - 5 : i + 6, j - 5 : j + 6, k].mean()
    fat = series.array[i - 5 : i + 6, j + 60 : j + 70, k].mean()
    assert around < 0.4 * fat  # flow void


def test_a_bulge_is_no_herniation_and_modic_follows_the_signal(sick: Phantom) -> None:
    assert sick.grade(Condition.DISC_BULGING, "L3-L4") == "present"
    assert sick.grade(Condition.DISC_HERNIATION, "L3-L4") == "absent"
    assert sick.grade(Condition.DISC_BULGING, "L5-S1") == "absent"
    assert sick.grade(Condition.MODIC, "L3-L4") == "1"
    assert sick.grade(Condition.LOWER_ENDPLATE_CHANGE, "L3-L4") == "present"
    assert sick.grade(Condition.UPPER_ENDPLATE_CHANGE, "L3-L4") == "absent"


@pytest.mark.parametrize(("kind", "expected"), [(1, "1"), (2, "2"), (3, "3")])
def test_modic_types_look_like_their_definition(kind: int, expected: str) -> None:
    tables, palette = load_tables(), Palette()
    spine = place_spine(with_disc(quiet_plan(), "L3-L4", modic=kind), tables)
    add_disc_tissues(palette, spine)
    assert grade_modic(kind, spine.disc("L3-L4"), tables, palette)[0] == expected


@pytest.mark.slow
def test_the_plans_findings_come_at_their_published_rates() -> None:
    plans = [draw_plan(load_tables(), seed=seed) for seed in range(400)]
    discs = [plan.disc("L4-L5") for plan in plans]
    assert np.mean([disc.focal > 0 for disc in discs]) == pytest.approx(30 / 179, abs=0.06)
    assert np.mean([disc.bulge > 1 for disc in discs]) == pytest.approx(131 / 179, abs=0.07)
    assert np.mean([disc.pfirrmann == "V" for disc in discs]) == pytest.approx(31 / 179, abs=0.06)
    assert np.mean([disc.slip > 0 for disc in discs]) == pytest.approx(8 / 179, abs=0.04)
    narrow = [disc.canal_ap < 12 for disc in discs]
    assert np.mean(narrow) == pytest.approx((237 + 255) / 1974, abs=0.07)


def test_old_spines_are_more_worn_than_young_ones() -> None:
    plans = [draw_plan(load_tables(), seed=seed) for seed in range(200)]
    worn = {
        old: np.mean(
            [disc.pfirrmann in ("IV", "V") for p in plans if (p.age_years > 52) is old for disc in p.discs]
        )
        for old in (True, False)
    }
    assert worn[True] > 1.5 * worn[False]


def test_the_picture_is_the_mid_sagittal_t2_as_rows_by_columns(phantom: Phantom) -> None:
    picture = phantom_picture(phantom)
    assert picture.shape == (384, 384)
    assert picture.dtype == np.uint8
    canal = phantom.series_by_role("sagittal_t2").label_array[:, :, 7].T == 100
    assert picture[canal].mean() > 1.5 * picture.mean()
