"""Plans of many lumbar phantoms against the published rates and norms they are drawn from."""

import numpy as np
import pytest

from imaging.phantom.lumbar.draw import draw_plan
from imaging.phantom.lumbar.place import place_spine
from imaging.phantom.lumbar.plan import LUMBARISED, SACRALISED, USUAL, DiscPlan, SpinePlan
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.setup import load_setup

pytestmark = pytest.mark.slow  # 400 plans; run after a change of the tables or of drawing

TABLES = load_tables()
LUMBAR = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


@pytest.fixture(scope="module")
def plans() -> list[SpinePlan]:
    return [draw_plan(TABLES, seed=seed) for seed in range(400)]


def at(plans: list[SpinePlan], level: str) -> list[DiscPlan]:
    """Return the discs of a level, without those that do not wear because their L5 is sacralised."""
    return [plan.disc(level) for plan in plans if not plan.disc(level).is_rudimentary]


def assert_rate(found: list[bool], rate: float) -> None:
    """Compare a count with a binomial rate; patients' levels are drawn apart, so that n is that of patients."""
    n = len(found)
    assert abs(np.mean(found) - rate) < 3.5 * np.sqrt(rate * (1 - rate) / n) + 0.5 / n


@pytest.mark.parametrize("level", LUMBAR)
def test_stenoses_come_at_the_rsna_rates(plans: list[SpinePlan], level: str) -> None:
    discs = at(plans, level)
    for counts, moderate, severe in (
        (TABLES.rsna_canal[level], [9.5 < d.canal_ap < 12 for d in discs], [d.canal_ap <= 9.5 for d in discs]),
        (
            TABLES.rsna_foramen[level],
            [2 <= d.foramen_width[0] < 3 for d in discs],
            [d.foramen_width[1] < 2 for d in discs],
        ),
        (
            TABLES.rsna_subarticular[level],
            [2 <= d.recess[1] <= 3 for d in discs],
            [d.recess[0] < 2 for d in discs],
        ),
    ):
        assert_rate(moderate, counts[1] / sum(counts))
        assert_rate(severe, counts[2] / sum(counts))


@pytest.mark.parametrize("level", ["T12-L1", *LUMBAR])
def test_gradings_come_at_the_spider_rates(plans: list[SpinePlan], level: str) -> None:
    discs, row = at(plans, level), TABLES.prevalence[level]
    for grade, count in zip(("I", "II", "III", "IV", "V"), row.pfirrmann, strict=True):
        assert_rate([disc.pfirrmann == grade for disc in discs], count / row.n)
    assert_rate([disc.bulge > 1 for disc in discs], row.bulging / row.n)
    assert_rate([disc.focal > 0 for disc in discs], row.herniation / row.n)
    assert_rate([disc.slip != 0 for disc in discs], row.slip / row.n)
    assert_rate([disc.modic > 0 for disc in discs], sum(row.modic[1:]) / sum(row.modic))
    assert_rate([disc.pit_above > 0 for disc in discs], row.upper_endplate / row.n)


def test_findings_come_together() -> None:
    plans = [draw_plan(TABLES, seed=seed) for seed in range(400, 700)]
    discs = at(plans, "L4-L5")
    worn = np.array([disc.pfirrmann in ("IV", "V") for disc in discs])
    narrow = np.array([min(disc.recess) <= 3 for disc in discs])
    canal = np.array([disc.canal_ap < 12 for disc in discs])
    assert narrow[worn].mean() > 1.4 * narrow[~worn].mean()
    assert narrow[canal].mean() > narrow[~canal].mean()


def test_numbering_and_side_curves_come_at_their_rates(plans: list[SpinePlan]) -> None:
    rows = TABLES.transitional
    assert_rate([plan.numbering == SACRALISED for plan in plans], rows["sacralised_l5"])
    assert_rate([plan.numbering == LUMBARISED for plan in plans], rows["lumbarised_s1"])
    curve = TABLES.posture["scoliosis"]
    cobb = np.degrees([plan.cobb for plan in plans])
    assert_rate((np.abs(cobb) >= 10).tolist(), curve["rate"])
    assert np.abs(cobb).max() <= curve["cobb"][1]
    assert_rate((cobb[np.abs(cobb) >= 10] < 0).tolist(), 0.5)  # to both sides


def test_slips_go_both_ways_as_their_levels_do(plans: list[SpinePlan]) -> None:
    more = [*plans, *(draw_plan(TABLES, seed=seed) for seed in range(1000, 1600))]
    for level in ("L4-L5", "L5-S1"):
        slips = [disc.slip for disc in at(more, level) if disc.slip]
        assert_rate([slip < 0 for slip in slips], TABLES.morphology["retro_share"][level])
    kinds = [disc for plan in more for disc in plan.discs if disc.focal]
    assert_rate(
        [disc.is_extruded for disc in kinds], TABLES.morphology["extrusion"] * sum(TABLES.morphology["place"][:2])
    )
    assert all(disc.migration == 0 for disc in kinds if not disc.is_extruded)


def test_discs_rise_and_sacs_shrink_with_age(plans: list[SpinePlan]) -> None:
    usual = [plan for plan in plans if plan.numbering == USUAL]
    young, old = ([p for p in usual if low <= p.age_years < high] for low, high in ((25, 45), (62, 81)))
    height = [np.mean([p.disc("L3-L4").healthy_height for p in group]) for group in (young, old)]
    # Shao 2002: some 6 % over 49 years, here over some 37.
    assert height[1] / height[0] == pytest.approx(1.045, abs=0.035)
    area = [np.mean([sac_area(p, "L4-L5") for p in group]) for group in (young, old)]
    # CLINICAL.md: 79.9 % from the 20s to the 70s, here over some 37 of the 50 years.
    assert area[1] / area[0] == pytest.approx(0.85, abs=0.04)


def sac_area(plan: SpinePlan, level: str) -> float:
    curve = place_spine(plan, TABLES).curve
    disc = place_spine(plan, TABLES).disc(level)
    sample = curve.nearest(disc.frame.y - disc.depth / 2, disc.frame.z)
    return float(np.pi * curve.sac_half_ap[sample] * curve.sac_half_width[sample])


def test_women_have_smaller_spines_and_more_fat_on_their_backs(plans: list[SpinePlan]) -> None:
    women, men = ([plan for plan in plans if plan.sex == sex] for sex in ("F", "M"))
    height, fat = (
        [np.mean([value(plan) for plan in group]) for group in (women, men)]
        for value in (lambda plan: plan.body("L5").height, lambda plan: plan.back_fat)
    )
    assert height[0] < height[1]
    assert fat[0] > fat[1]
    fatty = np.mean([plan.muscle_fat for plan in plans if plan.age_years > 38])
    assert fatty == pytest.approx(TABLES.people["muscle_fat"]["old"][0], abs=0.02)


def test_wedge_fractures_are_of_the_old(plans: list[SpinePlan]) -> None:
    broken = [plan for plan in plans if any(body.collapse for body in plan.bodies)]
    assert broken
    assert min(plan.age_years for plan in broken) >= TABLES.fracture["from_years"]


def test_a_setup_may_change_the_population() -> None:
    setup = load_setup("test_lumbar_shifted")
    changed = load_tables(setup.anatomy)
    assert changed.people["age_years"] != TABLES.people["age_years"]
    assert setup.field_strength_t == 3.0
