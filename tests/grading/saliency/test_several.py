"""Heat of many grades at once against heat made grade by grade."""

import numpy as np
import pytest

from anatomy import Condition
from grading.predict import Grader
from grading.saliency import explain_grade
from grading.saliency.several import disc_slice_heats
from grading.types import Grade
from tests.grading.saliency.test_views import LUMBAR, VIEWS, spine
from tests.grading.saliency.tiny import tiny_grader


@pytest.fixture(scope="module")
def grader() -> Grader:
    return tiny_grader(members=2, views=VIEWS)


def graded(grader: Grader) -> list[Grade]:
    study, segmented = spine()
    findings = grader.grade(study, segmented, LUMBAR)
    return [grade for grade in findings.reported if grade.probabilities and grade.grade is not None]


def test_all_at_once_is_the_same_as_one_by_one(grader: Grader) -> None:
    study, segmented = spine()
    findings = grader.grade(study, segmented, LUMBAR)
    grades = graded(grader)
    heats = disc_slice_heats(grader, study, segmented, grades)
    assert {grade.condition for grade in grades if grade.id in heats} >= {
        Condition.DISC_BULGING,
        Condition.SPINAL_CANAL_STENOSIS,
        Condition.NEURAL_FORAMINAL_NARROWING,
    }
    for grade in grades[::7]:
        found = explain_grade(grader, study, segmented, findings, grade.id)
        heat = heats.get(grade.id)
        if heat is None:
            assert max(float(item.map.max()) for item in found) == 0.0
            continue
        there = [
            item.map for item in found if (item.series_id, item.slice_index) == (heat.series_id, heat.slice_index)
        ]
        np.testing.assert_allclose(heat.map, np.maximum.reduce(there), atol=1e-4)


def test_the_slice_is_that_of_the_evidence_where_there_is_heat(grader: Grader) -> None:
    study, segmented = spine()
    grades = {grade.id: grade for grade in graded(grader)}
    heats = disc_slice_heats(grader, study, segmented, list(grades.values()))
    on_evidence = 0
    for name, heat in heats.items():
        evidence = grades[name].evidence
        assert evidence is not None
        on_evidence += (heat.series_id, heat.slice_index) == (evidence.series_id, evidence.slice_index)
        assert heat.map.max() > 0.0
        assert heat.map.max() <= 1.0
    assert on_evidence > len(heats) / 2


def test_without_grades_nothing_is_explained(grader: Grader) -> None:
    assert disc_slice_heats(grader, *spine(), []) == {}
