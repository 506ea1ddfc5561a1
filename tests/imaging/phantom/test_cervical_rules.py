"""The cervical phantom's rules at their borders, its population, its boxes and its report."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from anatomy import vertebra_label
from imaging.phantom import Phantom
from imaging.phantom.canvas import Canvas, View
from imaging.phantom.cervical.draw import draw_plan
from imaging.phantom.cervical.grids import series_grid
from imaging.phantom.cervical.paint import paint_neck
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.plan import NeckPlan, Plaque
from imaging.phantom.cervical.rules import (
    grade_canal,
    grade_compression,
    grade_foramen,
    grade_kang,
    grade_listhesis,
)
from imaging.phantom.cervical.scene import build_scene, scene_from_plan
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.cervical.truth import measure_truth
from imaging.phantom.grid import Box, Grid
from imaging.phantom.report import reference_report
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from runtime.errors import ConfigError
from tests.imaging.phantom.cervical_plans import (
    LEVELS,
    RULES,
    drawn_plans,
    from_plan,
    measured,
    quiet_phantom,
    quiet_plan,
    sick_phantom,
    value,
)


@pytest.fixture(scope="module")
def plans() -> tuple[NeckPlan, ...]:
    return drawn_plans()


@pytest.fixture(scope="module")
def quiet() -> Phantom:
    return quiet_phantom()


@pytest.fixture(scope="module")
def sick() -> Phantom:
    return sick_phantom()


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


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_findings_are_drawn_at_the_rates_of_the_tables(plans: tuple[NeckPlan, ...], level: str) -> None:
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
    plans: tuple[NeckPlan, ...],
) -> None:
    counts = {level: sum(plan.disc(level).myelopathy > 0 for plan in plans) for level in LEVELS}
    assert 15 <= sum(counts.values()) <= 90
    assert counts["C5-C6"] + counts["C6-C7"] > 0.4 * sum(counts.values())  # 68 % of compressions (Nakashima)
    assert counts["C2-C3"] + counts["C7-T1"] <= 6
    for plan in plans:
        for disc in plan.discs:
            assert disc.myelopathy == 0 or disc.bulge + disc.flavum + disc.focal + abs(disc.slip) > 2.0


def test_old_necks_are_more_worn_than_young_ones(plans: tuple[NeckPlan, ...]) -> None:
    worn = {
        old: np.mean(
            [disc.pfirrmann in ("IV", "V") for p in plans if (p.age_years > 53) is old for disc in p.discs[:6]]
        )
        for old in (True, False)
    }
    assert worn[True] > 1.5 * worn[False]


@pytest.mark.parametrize("seeds", [(60, 61), pytest.param((62, 63), marks=pytest.mark.slow)])
def test_measured_truth_follows_the_drawn_canal(seeds: tuple[int, ...]) -> None:
    tables = load_tables()
    drawn, found = [], []
    for seed in seeds:
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
        pytest.param("test_cervical", "64797d1425e82f4a", marks=pytest.mark.slow),  # as test_frozen does
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
