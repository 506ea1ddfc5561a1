"""What is urgent stands above the reading, and nothing else does."""

from dataclasses import replace

import pytest

from anatomy import CONDITIONS, SCALES, Condition
from grading import Grade, GradeStatus, triage_alert
from grading.triage import _load


def _grade(level: str | None, condition: Condition, scale: str, step: str | None) -> Grade:
    return Grade(
        id="g1",
        level=level,
        side=None,
        condition=condition,
        scale=scale,
        grade=step,
        probabilities={},
        prediction_set=("present", "absent"),
        status=GradeStatus.NOT_ASSESSABLE if step is None else GradeStatus.GRADED,
        reason=None,
        evidence=None,
    )


CORD = _grade("C5-C6", Condition.CORD_COMPRESSION, "presence", "present")


def test_compressed_cord_is_told_once_a_level_on_whichever_scale() -> None:
    kang = _grade("C5-C6", Condition.CORD_COMPRESSION, "kang", "3")
    other = _grade("C3-C4", Condition.CORD_COMPRESSION, "kang", "2")
    alert = triage_alert([CORD, kang, other])
    assert alert == (
        "To be looked at first: suspected cord compression at C5-C6, C3-C4 (triage/1). The draft does not "
        "replace the reader."
    )


@pytest.mark.parametrize(
    "grade",
    [
        replace(CORD, grade="absent"),
        replace(CORD, grade=None, status=GradeStatus.NOT_ASSESSABLE),
        _grade("C5-C6", Condition.CORD_COMPRESSION, "kang", "1"),
        _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "rsna", "severe"),
        _grade("L4-L5", Condition.SPINAL_CANAL_STENOSIS, "canal_ap", "severe"),
    ],
)
def test_other_grades_and_what_merely_cannot_be_excluded_raise_nothing(grade: Grade) -> None:
    assert triage_alert([grade]) is None


def test_the_table_names_steps_that_there_are() -> None:
    for condition, scale, step in _load().urgent:
        assert scale in CONDITIONS[Condition(condition)].scales
        assert SCALES[scale].step(step).is_abnormal
