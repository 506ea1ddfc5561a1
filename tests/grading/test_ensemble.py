"""Several graders as one: votes, ties, and side by side."""

from dataclasses import replace

import pytest
import torch

from anatomy import Condition, load_protocol
from grading.build import build_network
from grading.ensemble import EnsembleGrader, comparison_table
from grading.findings import not_assessable
from grading.predict import Grader
from grading.storage import StoredGrader
from grading.types import Grade, GradeStatus
from tests.grading.factories import (
    LEVELS,
    canal_measurement,
    chain,
    draw_spine,
    levels_of,
    segmented_of,
    series_of,
    study_of,
)
from tests.grading.test_predict import CONFIG, _tuning

LUMBAR = load_protocol("lumbar")


def _grader(seed: int, accuracy: float) -> Grader:
    torch.manual_seed(seed)
    shares = {head.key: accuracy for head in CONFIG.heads}
    stored = StoredGrader(CONFIG, (build_network(CONFIG).eval(),), _tuning(), LEVELS, accuracy=shares)
    return Grader(stored, checksum=str(seed), device=torch.device("cpu"))


@pytest.fixture(scope="module")
def ensemble() -> EnsembleGrader:
    return EnsembleGrader({f"n{seed}": _grader(seed, 0.5 + 0.1 * seed) for seed in range(3)})


def _grade(step: str | None) -> Grade:
    empty = not_assessable("L4-L5", Condition.DISC_DEGENERATION, "pfirrmann", "made up")
    if step is None:
        return empty
    return replace(empty, grade=step, status=GradeStatus.GRADED, reason=None, prediction_set=(step,))


def test_the_most_votes_win(ensemble: EnsembleGrader) -> None:
    assert ensemble.winner({"n0": _grade("II"), "n1": _grade("II"), "n2": _grade("V")}) == "II"


def test_a_tie_goes_to_the_better_network(ensemble: EnsembleGrader) -> None:
    assert ensemble.winner({"n0": _grade("I"), "n1": _grade("III"), "n2": _grade("II")}) == "II"
    assert ensemble.winner({"n0": _grade("I"), "n1": _grade("III"), "n2": _grade(None)}) == "III"
    assert ensemble.winner({"n0": _grade(None), "n1": _grade(None)}) is None


def test_a_study_is_graded_by_vote_and_shown_side_by_side(ensemble: EnsembleGrader) -> None:
    points = chain()
    study = study_of(series_of(draw_spine(points)))
    measured = (canal_measurement(1, "L4-L5", 9.0),)
    segmented = segmented_of({"S1": levels_of(points)}, measurements=measured)
    findings = ensemble.grade(study, segmented, LUMBAR)
    rows = ensemble.compare(study, segmented, LUMBAR)
    assert [(grade.level, grade.condition) for grade in findings.grades] == [
        (row.level, row.condition) for row in rows
    ]
    for grade, row in zip(findings.grades, rows, strict=True):
        assert set(row.grades) == {"n0", "n1", "n2"}
        assert grade.grade == row.voted
        if grade.probabilities:
            members = [row.grades[name].probabilities for name in row.grades]
            for step, value in grade.probabilities.items():
                assert value == pytest.approx(sum(member[step] for member in members) / 3)
            for member in row.grades.values():
                assert set(member.prediction_set) <= set(grade.prediction_set)
            assert str(grade.reason).startswith("vote of 3 networks: ")
    canal = next(
        g for g in findings.grades if g.level == "L4-L5" and g.condition is Condition.SPINAL_CANAL_STENOSIS
    )
    assert (canal.grade, canal.probabilities) == ("severe", {})
    assert findings.burden.score is not None
    table = comparison_table(rows)
    assert table.splitlines()[0] == "| level | side | condition | n0 | n1 | n2 | vote |"
    assert len(table.splitlines()) == 2 + len(rows)
    assert "not assessable" in table


def test_one_grader_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="expected at least two, got 1"):
        EnsembleGrader({"one": _grader(0, 0.5)})
