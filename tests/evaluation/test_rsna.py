"""The challenge's loss, against scikit-learn's log loss and by hand."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from evaluation.rsna import ANY_SEVERE, GROUPS, RsnaRows, weighted_log_loss


def drawn(seed: int = 0, studies: int = 12) -> RsnaRows:
    rng = np.random.default_rng(seed)
    names = [(study, name) for study in range(studies) for name in GROUPS for _ in range(5)]
    return RsnaRows(
        [study for study, _ in names],
        [name for _, name in names],
        rng.choice(3, len(names), p=[0.7, 0.2, 0.1]),
        rng.dirichlet([2, 1, 1], len(names)),
    )


def test_each_part_is_the_weighted_log_loss_of_scikit_learn() -> None:
    rows = drawn()
    found = weighted_log_loss(rows)
    for name in GROUPS:
        chosen = np.array(rows.conditions) == name
        expected = log_loss(
            rows.truth[chosen],
            rows.probabilities[chosen],
            sample_weight=2.0 ** rows.truth[chosen],
            labels=[0, 1, 2],
        )
        assert found[name] == pytest.approx(expected, rel=1e-9)


def test_any_severe_takes_the_largest_probability_and_weight_of_a_study() -> None:
    rows = RsnaRows(
        ["a", "a", "b"],
        [GROUPS[0]] * 3,
        np.array([0, 2, 1]),
        np.array([[0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.5, 0.3, 0.2]]),
    )
    expected = (4 * -np.log(0.5) + 2 * -np.log(0.8)) / 6
    assert weighted_log_loss(rows)[ANY_SEVERE] == pytest.approx(expected)


def test_the_loss_is_the_mean_of_the_parts_and_rows_are_scaled() -> None:
    rows = drawn(1)
    found = weighted_log_loss(rows)
    assert found["loss"] == pytest.approx(np.mean([found[name] for name in (*GROUPS, ANY_SEVERE)]))
    doubled = RsnaRows(rows.studies, rows.conditions, rows.truth, rows.probabilities * 2)
    assert weighted_log_loss(doubled)["loss"] == pytest.approx(found["loss"])


def test_a_certain_mistake_is_finite() -> None:
    rows = RsnaRows(["a"], [GROUPS[1]], np.array([2]), np.array([[1.0, 0.0, 0.0]]))
    assert np.isfinite(weighted_log_loss(rows)["loss"])


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="rows: expected 2"):
        RsnaRows(["a"], [GROUPS[0]] * 2, np.zeros(2, dtype=np.int64), np.ones((2, 3)))
    with pytest.raises(ValueError, match="conditions: expected"):
        RsnaRows(["a"], ["modic"], np.zeros(1, dtype=np.int64), np.ones((1, 3)))
