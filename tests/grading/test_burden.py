"""The burden score: monotone in every grade, terms sum to it, missing grades add nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy import CONDITIONS, SCALES, Condition
from grading.burden import load_formula, measure_burden
from grading.findings import not_assessable
from grading.types import Grade, GradeStatus

GRADED = [
    Condition.DISC_DEGENERATION,
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.DISC_HERNIATION,
    Condition.SPONDYLOLISTHESIS,
    Condition.DISC_BULGING,
    Condition.CORD_COMPRESSION,
]
LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]


def _grade(number: int, level: str, condition: Condition, step: int) -> Grade:
    scale = CONDITIONS[condition].scales[0]
    grade = SCALES[scale].grades[step]
    return Grade(f"g{number}", level, None, condition, scale, grade, {}, (grade,), GradeStatus.GRADED, None, None)


@st.composite
def _patients(draw: st.DrawFn) -> list[Grade]:
    grades: list[Grade] = []
    for level in LEVELS:
        for condition in GRADED:
            scale = SCALES[CONDITIONS[condition].scales[0]]
            step = draw(st.integers(-1, len(scale.steps) - 1))
            number = len(grades) + 1
            if step < 0:
                missing = not_assessable(level, condition, scale.name, "made up")
                grades.append(replace(missing, id=f"g{number}"))
            else:
                grades.append(_grade(number, level, condition, step))
    return grades


@given(_patients(), st.data())
def test_a_worse_grade_never_lowers_the_score(grades: list[Grade], data: st.DataObject) -> None:
    graded = [index for index, grade in enumerate(grades) if grade.grade is not None]
    if not graded:
        assert measure_burden(grades).score is None
        return
    index = data.draw(st.sampled_from(graded))
    chosen = grades[index]
    steps = SCALES[chosen.scale].grades
    before = measure_burden(grades)
    step = steps.index(str(chosen.grade))
    worse = [*grades]
    worse[index] = replace(chosen, grade=steps[min(step + 1, len(steps) - 1)])
    after = measure_burden(worse)
    assert before.score is not None
    assert after.score is not None
    assert after.score >= before.score
    if step + 1 < len(steps):
        assert after.score > before.score


@given(_patients())
def test_terms_sum_to_the_score_and_name_abnormal_grades(grades: list[Grade]) -> None:
    burden = measure_burden(grades)
    if burden.score is None:
        assert burden.terms == ()
        return
    assert sum(term.points for term in burden.terms) == pytest.approx(burden.score)
    assert 0 <= burden.score < 100
    weighty = {grade.id for grade in grades if grade.grade and SCALES[grade.scale].step(grade.grade).weight > 0}
    assert {term.grade_id for term in burden.terms} == weighty


def test_by_hand() -> None:
    grades = [
        _grade(1, "L4-L5", Condition.DISC_DEGENERATION, 3),  # weight 1, severity 0.6
        _grade(2, "L4-L5", Condition.SPINAL_CANAL_STENOSIS, 2),  # weight 3, severity 1
    ]
    burden = measure_burden(grades)
    assert burden.score == pytest.approx(100 * 3.6 / (3.6 + 8))
    assert burden.terms[1].points == pytest.approx(100 * 3.0 / 11.6)
    assert (burden.category, burden.formula) == ("moderate", "csds/1")


def test_healthy_patient_scores_zero() -> None:
    burden = measure_burden([_grade(1, "L4-L5", Condition.DISC_DEGENERATION, 0)])
    assert (burden.score, burden.category, burden.terms) == (0.0, "none", ())


def test_nothing_graded_has_no_score() -> None:
    burden = measure_burden([not_assessable("L4-L5", Condition.MODIC, "modic", "made up")])
    assert (burden.score, burden.category) == (None, None)


def test_every_graded_condition_has_a_weight() -> None:
    scaled = {condition for condition, info in CONDITIONS.items() if info.scales}
    assert set(load_formula().weights) == scaled
