"""Figures of grades from sums over cases, against the same figures from the places themselves."""

import numpy as np
import pytest

from evaluation.grading.agreement import macro_f1, quadratic_kappa
from evaluation.grading.figures import figures_of
from evaluation.grading.matched import NOT_GRADED, GradedPlaces, match_places
from evaluation.grading.rows import GradeRow, Place
from evaluation.grading.summary import auc_by_step, coverage, reliability
from evaluation.rsna import GROUPS, RsnaRows, weighted_log_loss
from grading.calibration import expected_calibration_error

STEPS = ("normal_mild", "moderate", "severe")
CASES = 14


@pytest.fixture(scope="module")
def sets() -> list[GradedPlaces]:
    rng = np.random.default_rng(5)
    told, truth = {}, {}
    for case in range(CASES):
        for condition in GROUPS:
            for level in ("L3-L4", "L4-L5", "L5-S1"):
                place = Place(f"s{case:02}", level, "", condition, "rsna")
                step = int(rng.choice(3, p=[0.5, 0.3, 0.2]))
                shares = rng.dirichlet(np.ones(3) + 2 * (np.arange(3) == step))
                named = int(shares.argmax())
                held = tuple(word for word, share in zip(STEPS, shares, strict=True) if share > 0.2)
                truth[place] = GradeRow(STEPS[step])
                told[place] = GradeRow(STEPS[named], tuple(shares.tolist()), held)
    return match_places(told, truth, sorted({place.id for place in truth}))


def test_a_resample_of_sums_is_a_resample_of_places(sets: list[GradedPlaces]) -> None:
    rows = np.random.default_rng(0).integers(0, CASES, CASES)
    found = figures_of(sets, CASES)(rows)
    for item in sets:
        places = np.concatenate([np.flatnonzero(item.cases == case) for case in rows])
        truth, named, shares = item.truth[places], item.named[places], item.probabilities[places]
        assert found[f"accuracy_{item.name}"] == pytest.approx((truth == named).mean())
        assert found[f"macro_f1_{item.name}"] == pytest.approx(macro_f1(truth, named))
        assert found[f"quadratic_kappa_{item.name}"] == pytest.approx(quadratic_kappa(truth, named, steps=3))
        stated = shares[np.arange(len(named)), named]
        assert found[f"ece_{item.name}"] == pytest.approx(expected_calibration_error(stated, truth == named))
        held = item.sets[places][np.arange(len(places)), truth]
        assert found[f"coverage_{item.name}"] == pytest.approx(held.mean())
        assert found[f"set_size_{item.name}"] == pytest.approx(item.sets[places].sum(axis=1).mean())
    kappas = [found[f"quadratic_kappa_{item.name}"] for item in sets]
    assert found["quadratic_kappa"] == pytest.approx(np.mean(kappas))


def test_the_rsna_loss_counts_a_case_drawn_twice_as_two_studies(sets: list[GradedPlaces]) -> None:
    rows = np.array([0, 0, 3, 5, 5, 5])
    studies, conditions, truth, shares = [], [], [], []
    for item in sets:
        for copy, case in enumerate(rows.tolist()):
            places = np.flatnonzero(item.cases == case)
            studies += [copy] * len(places)
            conditions += [item.condition] * len(places)
            truth.append(item.truth[places])
            shares.append(item.probabilities[places])
    expected = weighted_log_loss(RsnaRows(studies, conditions, np.concatenate(truth), np.concatenate(shares)))
    found = figures_of(sets, CASES)(rows)
    assert found["rsna_log_loss"] == pytest.approx(expected["loss"])
    for name in (*GROUPS, "any_severe_spinal"):
        assert found[f"rsna_log_loss_{name}"] == pytest.approx(expected[name])


def test_only_some_figures(sets: list[GradedPlaces]) -> None:
    assert set(figures_of(sets, CASES, only=("accuracy",))(np.arange(CASES))) == {"accuracy"}


def test_without_probabilities_and_sets_there_is_no_figure_of_them() -> None:
    place = [Place(str(n), "L4-L5", "", "modic", "modic") for n in range(2)]
    truth = {place[0]: GradeRow("1"), place[1]: GradeRow("2")}
    found = match_places({place[0]: GradeRow("1"), place[1]: GradeRow(None)}, truth, ["0", "1"])
    figures = figures_of(found, 2)(np.arange(2))
    assert np.isnan([figures[name] for name in ("auc", "ece", "coverage", "set_size", "quadratic_kappa")]).all()
    assert figures["accuracy"] == 1.0
    assert figures["graded_share"] == 0.5
    assert found[0].named.tolist() == [1, NOT_GRADED]
    assert "quadratic_kappa_modic" not in figures  # its types have no order
    assert auc_by_step(found) == reliability(found) == coverage(found) == []


def test_coverage_has_its_exact_interval() -> None:
    places = [Place(str(n), "L4-L5", "", "disc_bulging", "presence") for n in range(10)]
    truth = {place: GradeRow("present") for place in places}
    told = {place: GradeRow("present", None, ("present",) if n else ("absent",)) for n, place in enumerate(places)}
    (row,) = coverage(match_places(told, truth, [str(n) for n in range(10)]))
    assert (row["covered"], row["coverage"], row["set_size"]) == (9, 0.9, 1.0)
    # Clopper-Pearson of 9 in 10, as any table gives it
    assert (row["low"], row["high"]) == pytest.approx((0.5550, 0.9975), abs=1e-4)
