"""The burden score: monotone in every grade, terms sum to it, one place counts once, what is missing is told."""

import copy
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anatomy import CONDITIONS, SCALES, Condition, Side, load_protocol, protocol_names
from grading.burden import load_formula, measure_burden
from grading.burden.formula import parse
from grading.burden.places import asked_places, place_of
from grading.findings import not_assessable
from grading.types import Burden, Grade, GradeStatus
from runtime.errors import ConfigError

LUMBAR = load_protocol("lumbar")
GRADED = [condition for condition, info in CONDITIONS.items() if info.scales]
LEVELS = ["C5-C6", "L3-L4", "L4-L5", "L5-S1", "SIJ", None]
SIDES = [None, *Side]
ROOT = Path(__file__).parents[2]
TABLE = yaml.safe_load((ROOT / "grading" / "rules" / "burden.yaml").read_text(encoding="utf-8"))


def _scales(condition: Condition) -> tuple[str, ...]:
    return (*CONDITIONS[condition].scales, *CONDITIONS[condition].checks)


def _grade(
    level: str | None,
    condition: Condition,
    step: str,
    *,
    scale: str | None = None,
    side: Side | None = None,
    probabilities: dict[str, float] | None = None,
) -> Grade:
    name = scale or CONDITIONS[condition].scales[0]
    number = f"{level}/{condition}/{side}/{name}"
    return Grade(
        number, level, side, condition, name, step, probabilities or {}, (step,), GradeStatus.GRADED, None, None
    )


@st.composite
def _grades(draw: st.DrawFn) -> Grade:
    """Draw a grade of any condition, scale, level and side; half of them with probabilities."""
    condition = draw(st.sampled_from(GRADED))
    scale = draw(st.sampled_from(_scales(condition)))
    level, side = draw(st.sampled_from(LEVELS)), draw(st.sampled_from(SIDES))
    steps = SCALES[scale].grades
    named = draw(st.sampled_from(steps))
    probabilities = None
    if draw(st.booleans()):
        parts = draw(st.lists(st.integers(0, 20), min_size=len(steps), max_size=len(steps)))
        parts[steps.index(named)] += 1
        probabilities = {step: part / sum(parts) for step, part in zip(steps, parts, strict=True)}
    return _grade(level, condition, named, scale=scale, side=side, probabilities=probabilities)


@st.composite
def _patients(draw: st.DrawFn) -> list[Grade]:
    found = draw(st.lists(_grades(), min_size=1, max_size=14, unique_by=lambda grade: grade.id))
    if draw(st.booleans()):
        found.append(not_assessable("L1-L2", Condition.MODIC, "modic", "made up"))
    return found


def _worse(grade: Grade) -> Grade | None:
    """Return the grade one step worse by its points, probabilities moved up as well; None at the worst."""
    points = load_formula("lumbar").points[grade.condition][grade.scale]
    order = sorted(points, key=lambda step: points[step])
    index = order.index(str(grade.grade))
    if index + 1 == len(order):
        return None
    moved = dict.fromkeys(order, 0.0)
    for place, step in enumerate(order):
        moved[order[min(place + 1, len(order) - 1)]] += grade.probabilities.get(step, 0.0)
    return replace(grade, grade=order[index + 1], probabilities=moved if grade.probabilities else {})


def _check_is_at_least(after: Burden, before: Burden) -> None:
    assert after.score is not None
    assert before.score is not None
    assert after.score >= before.score - 1e-9
    assert after.upper_bound is not None
    assert before.upper_bound is not None
    assert after.upper_bound >= before.upper_bound - 1e-9
    assert (after.interval is None) == (before.interval is None)
    if after.interval is not None and before.interval is not None:
        assert all(new >= old - 1e-9 for new, old in zip(after.interval, before.interval, strict=True))
        assert after.expected is not None
        assert before.expected is not None
        assert after.expected >= before.expected - 1e-9


@given(_patients(), st.data())
def test_a_worse_grade_never_lowers_score_interval_or_bound(grades: list[Grade], data: st.DataObject) -> None:
    index = data.draw(st.sampled_from([i for i, grade in enumerate(grades) if grade.grade is not None]))
    worse = _worse(grades[index])
    if worse is not None:
        after = [*grades[:index], worse, *grades[index + 1 :]]
        _check_is_at_least(measure_burden(after, LUMBAR), measure_burden(grades, LUMBAR))


@pytest.mark.parametrize(("condition", "scale"), [(name, scale) for name in GRADED for scale in _scales(name)])
def test_every_worse_step_alone_raises_the_score(condition: Condition, scale: str) -> None:
    for level, side in product(LEVELS, SIDES):
        grade: Grade | None = _grade(level, condition, SCALES[scale].grades[0], scale=scale, side=side)
        scores = []
        while grade is not None:
            scores.append(measure_burden([grade], LUMBAR).score)
            grade = _worse(grade)
        assert scores[0] == 0.0
        assert scores == sorted(set(scores))
        assert len(scores) == len(SCALES[scale].grades)


@given(_patients())
def test_terms_sum_to_the_score_and_the_bounds_hold_it(grades: list[Grade]) -> None:
    burden = measure_burden(grades, LUMBAR)
    assert burden.score is not None
    assert burden.upper_bound is not None
    assert sum(term.points for term in burden.terms) == pytest.approx(burden.score)
    assert all(term.points > 0 for term in burden.terms)
    assert 0 <= burden.score <= burden.upper_bound + 1e-9 < 100
    if burden.interval is not None:
        assert 0 <= burden.interval[0] <= burden.score <= burden.interval[1] < 100


@given(_patients(), _grades())
def test_one_more_grade_never_lowers_the_score_unless_it_takes_over_from_a_check(
    grades: list[Grade], more: Grade
) -> None:
    there = [grade for grade in grades if grade.grade is not None and place_of(grade) == place_of(more)]
    takes_over = not more.is_check and bool(there) and all(grade.is_check for grade in there)
    if more.id not in {grade.id for grade in grades} and not takes_over:
        before, after = measure_burden(grades, LUMBAR), measure_burden([*grades, more], LUMBAR)
        assert (after.score or 0.0) >= (before.score or 0.0) - 1e-9
        assert (after.completeness or 0.0) >= (before.completeness or 0.0)
        if (after.completeness or 0.0) > (before.completeness or 0.0):
            # What was missing is known now, and at most at its worst.
            assert (after.upper_bound or 0.0) <= (before.upper_bound or 0.0) + 1e-9


def test_by_hand() -> None:
    grades = [
        _grade("L4-L5", Condition.DISC_DEGENERATION, "IV"),  # 0.6 points
        _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "severe"),  # 3 points
    ]
    burden = measure_burden(grades, LUMBAR)
    assert burden.score == pytest.approx(100 * 3.6 / (3.6 + 8))
    assert [term.points for term in burden.terms] == pytest.approx([100 * 0.6 / 11.6, 100 * 3.0 / 11.6])
    assert (burden.category, burden.formula) == ("moderate", "csds/3")
    assert burden.interval is None  # grades of rules alone tell no uncertainty
    assert burden.expected is None
    assert burden.completeness == pytest.approx(2 / len(asked_places(LUMBAR)))
    formula = load_formula("lumbar")
    sides = {condition: 2 if CONDITIONS[condition].is_sided else 1 for condition in LUMBAR.conditions}
    worst = sum(formula.worst(condition) * count for condition, count in sides.items()) * len(LUMBAR.levels)
    known_worst = 0.8 + 3.0
    total = worst - known_worst + 3.6
    assert burden.upper_bound == pytest.approx(100 * total / (total + 8))


def test_interval_by_hand() -> None:
    half = {"absent": 0.5, "present": 0.5}
    stenosis = {"normal_mild": 0.5, "moderate": 0.0, "severe": 0.5}
    apart = [
        _grade("L3-L4", Condition.SPINAL_CANAL_STENOSIS, "severe", probabilities=stenosis),
        _grade("L4-L5", Condition.DISC_HERNIATION, "present", probabilities=half),
    ]
    together = [apart[0], replace(apart[1], level="L3-L4")]
    score = load_formula("lumbar").score
    # Two levels are independent: 0, 1, 3 and 4 points, a quarter each. At one level both come or neither does.
    assert measure_burden(apart, LUMBAR).expected == pytest.approx((score(1) + score(3) + score(4)) / 4)
    assert measure_burden(together, LUMBAR).expected == pytest.approx(score(4) / 2)
    assert measure_burden(together, LUMBAR).interval == pytest.approx((0.0, score(4)))


def test_the_interval_is_that_of_the_95_per_cent() -> None:
    likely = {"absent": 0.97, "present": 0.03}
    surely = {"absent": 0.98, "present": 0.02}
    score = load_formula("lumbar").score
    for probabilities, high in ((likely, score(1)), (surely, 0.0)):
        grade = _grade("L4-L5", Condition.DISC_HERNIATION, "absent", probabilities=probabilities)
        assert measure_burden([grade], LUMBAR).interval == pytest.approx((0.0, high))


def test_many_small_doubts_raise_what_is_expected_and_the_interval_still_holds_the_score() -> None:
    doubt = {"normal_mild": 0.6, "moderate": 0.4, "severe": 0.0}
    grades = [
        _grade(level, Condition.SPINAL_CANAL_STENOSIS, "normal_mild", probabilities=doubt)
        for level in LUMBAR.levels
    ]
    burden = measure_burden(grades, LUMBAR)
    assert burden.score == 0.0
    assert burden.expected is not None
    assert burden.interval is not None
    assert burden.expected > 25
    assert burden.interval[0] == 0.0


def test_a_place_graded_twice_counts_once_as_the_worst() -> None:
    twice = [
        _grade("C5-C6", Condition.CORD_COMPRESSION, "present", scale="presence"),
        _grade("C5-C6", Condition.CORD_COMPRESSION, "3", scale="kang"),
    ]
    cervical = load_protocol("cervical")
    assert measure_burden(twice, cervical).score == measure_burden(twice[1:], cervical).score
    assert [term.grade_id for term in measure_burden(twice, cervical).terms] == [twice[1].id]


def test_a_check_of_a_reported_grade_only_raises_the_upper_end() -> None:
    doubt = {"normal_mild": 0.5, "moderate": 0.3, "severe": 0.2}
    learned = _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "normal_mild", probabilities=doubt)
    sure = replace(learned, probabilities={"normal_mild": 1.0, "moderate": 0.0, "severe": 0.0})
    measured = _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "moderate", scale="canal_ap")
    score = load_formula("lumbar").score
    burden = measure_burden([learned, measured], LUMBAR)
    assert (burden.score, burden.terms) == (0.0, ())
    assert burden.interval == pytest.approx((0.0, score(3.0)))
    assert burden.expected == pytest.approx(0.3 * score(1.8) + 0.2 * score(3.0))
    assert measure_burden([sure, measured], LUMBAR).interval == pytest.approx((0.0, score(1.8)))
    assert measure_burden([sure], LUMBAR).interval == (0.0, 0.0)


def test_a_check_stands_in_where_nothing_else_grades_its_place() -> None:
    measured = _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "moderate", scale="canal_ap")
    elsewhere = _grade("L3-L4", Condition.SPINAL_CANAL_STENOSIS, "normal_mild")
    burden = measure_burden([elsewhere, measured], LUMBAR)
    assert [term.grade_id for term in burden.terms] == [measured.id]
    assert burden.score == pytest.approx(load_formula("lumbar").score(1.8))
    reported = _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "normal_mild")
    assert measure_burden([elsewhere, measured, reported], LUMBAR).score == 0.0  # what is reported takes over


def test_both_sides_count_but_a_herniation_has_one_disc() -> None:
    sides = [_grade("L4-L5", Condition.NEURAL_FORAMINAL_NARROWING, "severe", side=side) for side in Side]
    assert [term.grade_id for term in measure_burden(sides, LUMBAR).terms] == [grade.id for grade in sides]
    herniations = [_grade("L4-L5", Condition.DISC_HERNIATION, "present", side=side) for side in Side]
    assert len(measure_burden(herniations, LUMBAR).terms) == 1


def test_a_coarser_grade_and_the_finer_ones_count_once() -> None:
    sacroiliac = load_protocol("sacroiliac")
    status = _grade("SIJ", Condition.SACROILIITIS, "positive", scale="as_status")  # 2.1 points
    early, normal, advanced = (
        _grade("SIJ", Condition.SACROILIITIS, grade, scale="as_stage", side=side)
        for grade, side in (("early", Side.LEFT), ("normal", Side.RIGHT), ("advanced", Side.RIGHT))
    )
    mild, bad = (measure_burden([status, early, other], sacroiliac) for other in (normal, advanced))
    assert [term.grade_id for term in mild.terms] == [status.id]  # 2.1 against 1.2 + 0
    assert [term.grade_id for term in bad.terms] == [early.id, advanced.id]  # 2.1 against 1.2 + 3.0
    assert mild.completeness == 1.0
    assert mild.upper_bound == pytest.approx(mild.score)
    whole_study = replace(status, level=None)
    assert measure_burden([whole_study, early, normal], sacroiliac).score == mild.score


def test_healthy_patient_scores_zero() -> None:
    burden = measure_burden([_grade("L4-L5", Condition.DISC_DEGENERATION, "I")], LUMBAR)
    assert (burden.score, burden.category, burden.terms) == (0.0, "none", ())


def test_nothing_graded_has_no_score_and_says_so() -> None:
    burden = measure_burden([not_assessable("L4-L5", Condition.MODIC, "modic", "made up")], LUMBAR)
    assert (burden.score, burden.category, burden.interval, burden.upper_bound) == (None, None, None, None)
    assert burden.completeness == 0.0


def test_everything_graded_has_no_room_above() -> None:
    grades = [
        _grade(level, condition, SCALES[CONDITIONS[condition].scales[0]].grades[-1], side=side)
        for condition, level, side in asked_places(LUMBAR)
    ]
    burden = measure_burden(grades, LUMBAR)
    assert burden.completeness == 1.0
    assert burden.upper_bound == pytest.approx(burden.score)
    assert measure_burden(grades[1:], LUMBAR).completeness == pytest.approx(1 - 1 / len(grades))


def test_probabilities_that_are_none_are_refused() -> None:
    for wrong in ({"absent": 0.5, "present": 0.2}, {"absent": 0.5, "severe": 0.5}):
        grade = _grade("L4-L5", Condition.DISC_HERNIATION, "absent", probabilities=wrong)
        with pytest.raises(ValueError, match="L4-L5: expected probabilities of absent, present that sum to 1"):
            measure_burden([grade], LUMBAR)


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_has_a_formula(name: str) -> None:
    formula = load_formula(name)
    assert formula.score(formula.half_points) == pytest.approx(50)
    assert set(formula.points) == set(GRADED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modic": {}}, "modic on scale modic: expected points for 0, 1, 2, 3"),
        ({"disc_bulging": {"presence": {"absent": 0.1, "present": 0.2}}}, "expected 0 for the best step"),
        ({"disc_bulging": {"presence": {"absent": 0, "present": 0.125}}}, "expected whole hundredths"),
        ({"spinal_canal_stenosis": {"rsna": {"normal_mild": 0, "moderate": 2, "severe": 1}}}, "points that rise"),
        ({"disc_bulging": {"presence": {"absent": 0, "present": 1}, "rsna": {}}}, "not graded on scale 'rsna'"),
    ],
)
def test_a_table_that_is_not_monotone_or_whole_is_refused(change: dict[str, object], words: str) -> None:
    table = copy.deepcopy(TABLE)
    table["points"] |= change
    with pytest.raises(ConfigError, match=words):
        parse(table, "lumbar")


def test_bad_categories_and_half_points_are_refused() -> None:
    with pytest.raises(ConfigError, match="limits that rise from 0"):
        parse({**TABLE, "categories": [{"name": "none", "from": 5}]}, "lumbar")
    with pytest.raises(ConfigError, match="half_points: expected numbers above 0"):
        parse({**TABLE, "half_points": {"default": 0}}, "lumbar")


def test_the_documented_table_is_the_one_in_use() -> None:
    text = (ROOT / "docs" / "burden.md").read_text(encoding="utf-8")
    assert TABLE["id"] in text
    for condition, scales in TABLE["points"].items():
        for scale, steps in scales.items():
            cells = ", ".join(f"{step} {value:g}" for step, value in steps.items())
            assert f"| {condition} | {scale} | {cells} |" in text
