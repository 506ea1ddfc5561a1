"""Agreement by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, roc_auc_score

from evaluation.grading import area_under_curve, macro_f1, quadratic_kappa
from evaluation.grading.agreement import accuracy, confusion_matrix
from evaluation.grading.auc import RankedScores


def test_quadratic_kappa_by_hand() -> None:
    # three steps, weights (i-j)^2/4: observed disagreement 1/4 of one in four; expected from the margins
    truth, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])
    observed = (1 / 4) / 4
    margins_truth, margins_predicted = np.array([1, 1, 2]) / 4, np.array([1, 2, 1]) / 4
    weights = (np.arange(3)[:, None] - np.arange(3)[None]) ** 2 / 4
    expected = float((weights * np.outer(margins_truth, margins_predicted)).sum())
    assert quadratic_kappa(truth, predicted, steps=3) == pytest.approx(1 - observed / expected)


@pytest.mark.parametrize("seed", range(6))
def test_the_figures_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, 60)
    predicted = np.clip(truth + rng.integers(-1, 2, 60), 0, 3)  # one step is never named
    expected = cohen_kappa_score(truth, predicted, labels=list(range(5)), weights="quadratic")
    assert quadratic_kappa(truth, predicted, steps=5) == pytest.approx(expected)
    assert macro_f1(truth, predicted) == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )
    assert accuracy(confusion_matrix(truth, predicted, steps=5)) == accuracy_score(truth, predicted)
    scores = np.round(rng.random(60) + 0.2 * (truth > 2), 1)  # with ties
    assert area_under_curve((truth > 2).astype(int), scores) == pytest.approx(roc_auc_score(truth > 2, scores))


def test_what_is_not_defined_is_nan() -> None:
    assert np.isnan(area_under_curve(np.array([1, 1]), np.array([0.1, 0.2])))
    assert np.isnan(quadratic_kappa(np.array([1, 1]), np.array([1, 1]), steps=3))
    assert np.isnan(accuracy(np.zeros((2, 2), dtype=np.int64)))


def test_the_area_of_a_resample_is_that_of_its_rows() -> None:
    rng = np.random.default_rng(1)
    cases, positive = rng.integers(0, 10, 80), rng.random(80) < 0.4
    scores = np.round(rng.random(80), 1)
    drawn = np.bincount(rng.integers(0, 10, 10), minlength=10)
    rows = np.repeat(np.arange(80), drawn[cases])
    expected = roc_auc_score(positive[rows], scores[rows])
    assert RankedScores(positive, scores, cases).area(drawn) == pytest.approx(expected)
