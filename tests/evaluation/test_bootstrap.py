import numpy as np
import pytest

from evaluation import Interval, bootstrap_by_patient
from evaluation.bootstrap import bootstrap_figures


def test_the_value_is_the_statistic_on_all_rows_and_lies_in_the_interval() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.9, 0.8])
    interval = bootstrap_by_patient([1, 1, 2, 3, 3], lambda rows: float(scores[rows].mean()))
    assert interval.value == pytest.approx(0.46)
    assert interval.low <= interval.value <= interval.high
    assert interval.patients == 3


def test_rows_of_one_patient_are_drawn_together() -> None:
    seen: list[frozenset[int]] = []

    def watch(rows: np.ndarray) -> float:
        seen.append(frozenset(rows.tolist()))
        return 0.0

    bootstrap_by_patient(["a", "a", "b"], watch, resamples=20)
    assert all((0 in rows) == (1 in rows) for rows in seen)


def test_a_single_patient_has_an_interval_of_no_width() -> None:
    interval = bootstrap_by_patient([7, 7], lambda rows: float(len(rows)))
    assert interval.low == interval.value == interval.high == 2.0


def test_the_same_seed_gives_the_same_interval() -> None:
    scores = np.random.default_rng(0).random(30)
    first, second = (
        bootstrap_by_patient(list(range(30)), lambda rows: float(scores[rows].mean()), seed=4) for _ in range(2)
    )
    assert first == second


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one row"):
        bootstrap_by_patient([], lambda rows: 0.0)


def test_several_figures_share_their_resamples_and_each_says_what_it_has() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.9])
    patients = [1, 2, 3, 4]

    def figures(rows: np.ndarray) -> dict[str, float]:
        first = float("nan") if 0 not in rows.tolist() else 1.0
        rare = 1.0 if sorted(rows.tolist()) == [0, 1, 2, 3] else float("nan")
        return {"mean": float(scores[rows].mean()), "first": first, "rare": rare, "never": float("nan")}

    found = bootstrap_figures(patients, figures, resamples=200)
    alone = bootstrap_by_patient(patients, lambda rows: figures(rows)["mean"], resamples=200)
    assert isinstance(found["mean"], Interval)
    assert (found["mean"].low, found["mean"].high) == pytest.approx((alone.low, alone.high))
    assert isinstance(found["first"], Interval)
    assert found["rare"] == 1.0  # defined on too few resamples for an interval
    assert found["never"] is None


def test_one_patient_or_no_resamples_give_no_interval() -> None:
    assert bootstrap_figures([1, 1], lambda rows: {"n": float(len(rows))}) == {"n": 2.0}
    assert bootstrap_figures([1, 2], lambda rows: {"n": float(len(rows))}, resamples=0) == {"n": 2.0}
