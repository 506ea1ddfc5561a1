"""The paired randomisation test: p values by hand, patients kept together, what cannot be compared."""

import numpy as np
import pytest

from evaluation.honesty import paired_test


def test_few_patients_are_tested_exactly() -> None:
    a, b = np.array([0.9, 0.8, 0.7, 0.9, 0.8]), np.array([0.5, 0.6, 0.6, 0.7, 0.7])
    test = paired_test(a, b, list("abcde"))
    assert test.is_exact
    assert test.p == pytest.approx(2 / 2**5)  # only "all as seen" and "all flipped" are as large
    assert test.difference == pytest.approx(0.2)
    assert test.interval.low > 0.0
    assert test.n == 5


def test_p_by_hand_with_one_patient_against() -> None:
    test = paired_test(np.array([3.0, 2.0, -1.0]), np.zeros(3), list("abc"))
    # |sums| of the eight flips: 4 and 6 twice each, 0 and 2 twice each; seen is 4
    assert test.p == pytest.approx(4 / 8)


def test_reports_of_a_patient_flip_together() -> None:
    gains = np.full(8, 0.1)
    together = paired_test(gains, np.zeros(8), ["one"] * 4 + ["two"] * 4)
    apart = paired_test(gains, np.zeros(8), [str(index) for index in range(8)])
    assert together.n == 2
    assert together.p == pytest.approx(2 / 4)
    assert apart.p == pytest.approx(2 / 2**8)


def test_many_patients_are_drawn_with_a_fixed_seed_and_agree_with_the_exact_test() -> None:
    rng = np.random.default_rng(2)
    gaps = rng.normal(0.05, 0.2, 13)
    patients = [str(index) for index in range(13)]
    exact = paired_test(gaps, np.zeros(13), patients)
    drawn = paired_test(np.append(gaps, 0.0), np.zeros(14), [*patients, "13"])
    assert (exact.is_exact, drawn.is_exact) == (True, False)
    assert drawn.p == pytest.approx(exact.p, abs=0.02)
    assert drawn == paired_test(np.append(gaps, 0.0), np.zeros(14), [*patients, "13"])


def test_alike_systems_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        a, b = rng.normal(size=(2, 12))
        hits += paired_test(a, b, [str(index) for index in range(12)], resamples=2).p < 0.05
    assert hits <= 12  # 5 are expected


def test_systems_that_are_the_same_have_p_one() -> None:
    same = np.array([0.5, 0.7, 0.9])
    test = paired_test(same, same, list("abc"))
    assert (test.p, test.difference) == (1.0, 0.0)


def test_reports_without_a_value_are_left_out() -> None:
    test = paired_test(np.array([1.0, np.nan, 0.8]), np.array([0.5, 0.5, np.nan]), list("abc"))
    assert (test.n, test.difference) == (1, 0.5)


def test_lengths_and_values_are_asked_for() -> None:
    with pytest.raises(ValueError, match="expected one length, got 2, 3 and 2"):
        paired_test(np.zeros(2), np.zeros(3), ["a", "b"])
    with pytest.raises(ValueError, match="at least one report with a value of both"):
        paired_test(np.array([np.nan]), np.array([1.0]), ["a"])
