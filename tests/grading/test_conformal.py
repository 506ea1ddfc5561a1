"""Prediction sets cover each step apart on exchangeable data; calibration recovers a known distortion."""

import numpy as np
import pytest

from grading.calibration import HeadCalibration, expected_calibration_error, fit_calibration
from grading.conformal import fit_thresholds, prediction_set
from grading.heads import HeadKind
from grading.probabilities import likeliest_step, step_probabilities


def _draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (N, 4) of a noisy ordered classifier and true steps, the last one rare."""
    truth = rng.choice(4, count, p=[0.4, 0.3, 0.22, 0.08])
    scores = truth * 1.5 + rng.normal(0, 1.2, count)
    return step_probabilities(scores[:, None] - np.array([0.75, 2.25, 3.75]), HeadKind.ORDINAL), truth


def test_coverage_holds_for_each_step() -> None:
    rng = np.random.default_rng(1)
    thresholds = fit_thresholds(*_draw(rng, 4000), alpha=0.1)
    probabilities, truth = _draw(rng, 8000)
    named = likeliest_step(probabilities, HeadKind.ORDINAL)
    sets = [
        prediction_set(row.tolist(), int(step), thresholds, HeadKind.CATEGORICAL)
        for row, step in zip(probabilities, named, strict=True)
    ]
    for step in range(4):
        covered = np.mean([step in kept for kept, true in zip(sets, truth, strict=True) if true == step])
        assert covered >= 0.88, f"step {step} covered {covered:.3f}"
    assert 1 < np.mean([len(kept) for kept in sets]) < 3.2


def test_threshold_by_hand() -> None:
    probabilities = np.column_stack([np.linspace(0.05, 0.95, 19), 1 - np.linspace(0.05, 0.95, 19)])
    steps = np.zeros(19, dtype=np.int64)
    # rank ceil(20 * 0.9) = 18 of the rising scores 0.05, 0.10 ... 0.95
    assert fit_thresholds(probabilities, steps, alpha=0.1) == (pytest.approx(0.9), None)


def test_a_rare_step_enters_only_as_the_named_one() -> None:
    thresholds = (0.5, None, 0.8)
    assert prediction_set([0.6, 0.1, 0.3], 0, thresholds, HeadKind.CATEGORICAL) == (0, 2)
    assert prediction_set([0.2, 0.5, 0.3], 1, thresholds, HeadKind.CATEGORICAL) == (1, 2)


def test_sets_of_ordered_scales_have_no_gap() -> None:
    assert prediction_set([0.5, 0.0, 0.5], 0, (0.6, 0.6, 0.6), HeadKind.ORDINAL) == (0, 1, 2)


def test_alpha_must_be_a_share() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        fit_thresholds(np.ones((3, 2)) / 2, np.zeros(3, dtype=np.int64), alpha=1.5)


def test_calibration_undoes_overconfidence_and_bias() -> None:
    rng = np.random.default_rng(0)
    true_logits = rng.normal(-1, 1.5, (6000, 1))
    steps = (rng.random(6000) < 1 / (1 + np.exp(-true_logits[:, 0]))).astype(np.int64)
    distorted = true_logits * 2.5 + 1.5
    fitted = fit_calibration(distorted, steps, HeadKind.BINARY)
    assert fitted.temperature == pytest.approx(2.5, rel=0.1)
    assert fitted.shifts[0] == pytest.approx(-0.6, abs=0.12)
    before = step_probabilities(distorted, HeadKind.BINARY)[:, 1]
    after = step_probabilities(fitted.apply(distorted), HeadKind.BINARY)[:, 1]
    assert expected_calibration_error(after, steps == 1) < 0.02
    assert expected_calibration_error(before, steps == 1) > 0.1


def test_calibration_keeps_cut_points_in_order() -> None:
    fitted = HeadCalibration(0.5, (1.0,))
    calibrated = fitted.apply(np.array([[2.0, 1.0, -3.0]]))
    np.testing.assert_allclose(calibrated, [[5.0, 3.0, -5.0]])
    assert HeadCalibration.from_dict(fitted.to_dict()) == fitted


def test_calibration_needs_discs() -> None:
    with pytest.raises(ValueError, match="expected held-out discs, got none"):
        fit_calibration(np.zeros((0, 1)), np.zeros(0, dtype=np.int64), HeadKind.BINARY)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([0.05, 0.05, 0.95, 0.95])
    hits = np.array([False, False, True, False])
    assert expected_calibration_error(probabilities, hits) == pytest.approx((0.05 * 2 + 0.45 * 2) / 4)


def test_a_handful_of_discs_gives_no_threshold() -> None:
    probabilities = np.full((14, 2), 0.5)
    assert fit_thresholds(probabilities, np.zeros(14, dtype=np.int64), alpha=0.5) == (None, None)
