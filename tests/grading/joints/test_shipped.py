"""The shipped sacroiliac grader on phantoms outlined by their truth: it loads and tells the plain cases apart.

Not a figure (``benchmarks.grading_sacroiliac`` has those): it guards the way from a study to a grade.
"""

import pytest

from anatomy import SIJ, Condition, Side, load_protocol
from grading import GradeStatus, JointGrader
from grading.joints.grades import SPARCC, STAGE, STATUS
from grading.types import Findings
from imaging.phantom import Phantom
from imaging.phantom.memory import study_in_memory
from imaging.phantom.sacroiliac.truth import LEVEL_SCORE
from tests.built_phantoms import built_phantom
from tests.grading.joints.pelves import segmented_of

PROTOCOL = load_protocol("sacroiliac")


@pytest.fixture(scope="module")
def grader() -> JointGrader:
    return JointGrader.load(name=PROTOCOL.weights["grading"], device="cpu")


@pytest.fixture(scope="module")
def inflamed() -> Phantom:
    return built_phantom("sacroiliac", 1)  # positive


def _grade(grader: JointGrader, phantom: Phantom, *, without: str = "") -> Findings:
    kept = [item for item in phantom.series if item.role != without]
    study = study_in_memory(phantom.name, phantom.protocol, kept)
    outlines = {series.id: item.label_array for series, item in zip(study.series, kept, strict=True)}
    return grader.grade(study, segmented_of(study, outlines), PROTOCOL)


def _named(findings: Findings, scale: str, side: Side | None = None) -> str | None:
    return next(item.grade for item in findings.grades if (item.scale, item.side) == (scale, side))


@pytest.mark.weights
def test_an_inflamed_pelvis_is_positive_and_its_score_is_near_the_truth(
    grader: JointGrader, inflamed: Phantom
) -> None:
    findings = _grade(grader, inflamed)
    assert _named(findings, STATUS) == "positive"
    for side in (Side.LEFT, Side.RIGHT):
        assert _named(findings, STAGE, side) == inflamed.grade(Condition.SACROILIITIS, SIJ, side)
    score = next(item.value for item in findings.measurements if item.name == SPARCC)
    assert score is not None
    assert abs(score - inflamed.measurement(LEVEL_SCORE, SIJ)) <= 12


@pytest.mark.weights
def test_a_normal_pelvis_is_negative(grader: JointGrader) -> None:
    findings = _grade(grader, built_phantom("sacroiliac"))
    assert _named(findings, STATUS) == "negative"
    assert [_named(findings, STAGE, side) for side in (Side.LEFT, Side.RIGHT)] == ["normal", "normal"]


@pytest.mark.weights
def test_without_the_fat_suppressed_series_nothing_is_graded(grader: JointGrader, inflamed: Phantom) -> None:
    findings = _grade(grader, inflamed, without="coronal_stir")
    assert {item.status for item in findings.grades} == {GradeStatus.NOT_ASSESSABLE}
    assert all("fat-suppressed" in str(item.reason) for item in findings.grades)
