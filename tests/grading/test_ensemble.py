"""Several graders as one: votes, ties, and side by side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anatomy import Condition, load_protocol
from benchmarks.grading_ensemble import judge_head, table_text
from grading.build import build_network
from grading.ensemble import EnsembleGrader, comparison_table, vote
from grading.findings import not_assessable
from grading.heads import load_heads
from grading.predict import Grader
from grading.storage import StoredGrader
from grading.training.held_out import HeldOut
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


def test_the_most_votes_win_and_a_tie_goes_to_the_better_network() -> None:
    assert vote(["I", "II", "II"], [0.9, 0.1, 0.2]) == "II"
    assert vote(["I", "II"], [0.4, 0.6]) == "II"
    assert vote(["I", "II", "III", "II", "III"], [0.9, 0.2, 0.3, 0.4, 0.1]) == "II"
    assert vote(["I", "II"], [0.5, 0.5]) == "I"
    assert vote(["V"], [0.0]) == "V"


def test_a_vote_of_backbones_is_judged_on_patients_of_other_folds() -> None:
    heads = [head for head in load_heads("lumbar") if head.key == "disc_bulging"]

    def folds(flip: float) -> list[HeldOut]:
        parts = []
        for fold in range(3):
            truth = np.tile([0, 1], 20)
            wrong = np.random.default_rng(int(100 * flip) + fold).random(40) < flip
            logits = np.where(truth ^ wrong, 2.0, -2.0)[:, None]
            patients = np.arange(40) + 100 * fold
            parts.append(HeldOut(patients, np.zeros(40, dtype=int), truth[:, None], {"disc_bulging": logits}))
        return parts

    scored = {"good": folds(0.2), "fair": folds(0.25), "poor": folds(0.3)}
    row = judge_head(scored, heads[0], heads)
    assert (row["discs"], row["patients"]) == (120, 120)
    accuracy = {name: figures["accuracy"]["value"] for name, figures in row["figures"].items()}
    assert accuracy["vote"] > accuracy["poor"]
    assert row["vote_less"]["poor"]["value"] > 0
    assert "| disc_bulging | vote |" in table_text({"disc_bulging": row})
