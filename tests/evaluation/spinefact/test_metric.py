"""Figures of a corpus: means and pools by hand, several references, reports without facts, chosen rows."""

import math

import numpy as np
import pytest

from evaluation.spinefact import SpineFact, best_comparison, compare_texts, read_report
from runtime.errors import StudyError

RIGHT = "L4-L5: disc bulge. L5-S1: severe spinal canal stenosis."
HALF = "L4-L5: disc bulge. L5-S1: moderate spinal canal stenosis."
NORMAL = "No disc bulge at L4-L5. No spinal canal stenosis at L5-S1."


def test_names_are_those_of_all_figures() -> None:
    scores = SpineFact().score([RIGHT], [[RIGHT]])
    assert set(SpineFact.names) == set(scores.corpus) == set(scores.per_report)
    assert len(SpineFact.names) == len(set(SpineFact.names))


def test_the_mean_and_the_pool_by_hand() -> None:
    long = "Disc bulges at L1-L2, L2-L3, L3-L4, L4-L5 and L5-S1. Annular tear at L5-S1."
    scores = SpineFact().score([HALF, long], [[RIGHT], [long]])
    assert scores.per_report["spinefact_f1"].tolist() == [0.5, 1.0]
    assert scores.corpus["spinefact_f1"] == pytest.approx(0.75)
    assert scores.corpus["spinefact_micro_f1"] == pytest.approx(7 / 8)
    assert scores.corpus["spinefact_finding_f1"] == 1.0
    assert scores.corpus["spinefact_grade_accuracy"] == 0.0
    assert scores.corpus["spinefact_ordinal_distance"] == 1.0
    assert scores.corpus["spinefact_grade_errors"] == 0.5


def test_chosen_rows_score_as_their_own_corpus() -> None:
    texts, references = [RIGHT, HALF, NORMAL], [[RIGHT], [RIGHT], [RIGHT]]
    rows = np.array([2, 0, 0])
    chosen = SpineFact().score([texts[row] for row in rows], [references[row] for row in rows]).corpus
    again = SpineFact().score(texts, references).corpus_of(rows)
    assert all(again[name] == pytest.approx(chosen[name], nan_ok=True) for name in SpineFact.names)


def test_the_reference_that_agrees_best_counts() -> None:
    comparison, reference = best_comparison(HALF, [NORMAL, RIGHT, HALF])
    assert reference.facts == read_report(HALF).facts
    assert all(pair.outcome.value == "match" for pair in comparison.pairs)
    assert SpineFact().score([HALF], [[NORMAL, RIGHT]]).corpus["spinefact_f1"] == 0.5


def test_two_unreadable_texts_do_not_agree() -> None:
    scores = SpineFact().score(["Sin alteraciones.", RIGHT], [["Sin hallazgos."], [RIGHT]])
    assert math.isnan(scores.per_report["spinefact_f1"][0])
    assert scores.corpus["spinefact_f1"] == 1.0
    assert scores.corpus["spinefact_unscored_reports"] == 0.5
    assert scores.corpus["spinefact_unread_sentences"] == 0.5
    assert math.isnan(SpineFact().score(["Sin alteraciones."], [["Nada."]]).corpus["spinefact_f1"])


def test_an_empty_side_scores_zero() -> None:
    for told, truth in (("Good morning.", RIGHT), (RIGHT, "Good morning.")):
        corpus = SpineFact().score([told], [[truth]]).corpus
        assert corpus["spinefact_f1"] == corpus["spinefact_precision"] == corpus["spinefact_recall"] == 0.0


def test_a_normal_report_finds_nothing_abnormal() -> None:
    corpus = SpineFact().score([NORMAL], [[RIGHT]]).corpus
    assert corpus["spinefact_abnormal_f1"] == 0.0
    assert corpus["spinefact_negation_errors"] == 2.0


def test_numbers_of_texts_must_agree() -> None:
    with pytest.raises(StudyError, match="expected 2 and at least one, got 1"):
        SpineFact().score([RIGHT, HALF], [[RIGHT]])
    with pytest.raises(StudyError, match=r"at least one text for each report, got \[\]"):
        SpineFact().score([RIGHT], [[]])
    with pytest.raises(StudyError, match="a list of at least one text for each report, got 'L4-L5"):
        SpineFact().score([RIGHT], [RIGHT])


def test_sentences_are_never_dropped_unseen() -> None:
    read = read_report("FINDINGS:\nDisc bulge at L4-L5 and a haemangioma. The conus is normal.\nImpression:\n1.")
    assert read.unread == ("The conus is normal.",)
    assert len(read.partly_read) == 1
    assert "haemangioma" in read.partly_read[0]
    assert len(read.facts) == 1


def test_values_and_what_was_not_assessable_count_as_read() -> None:
    read = read_report("Canal AP diameter 9.8 mm at L4-L5. The canal at L2-L3 could not be assessed.")
    assert (read.facts, read.unread, read.partly_read) == ((), (), ())


@pytest.mark.parametrize(
    ("told", "errors"),
    [
        ("9.8 mm at L4-L5", 0), ("10 mm at L4-L5", 0), ("0.98 cm at L4-L5", 0), ("9.4 mm at L4-L5", 1),
        ("1.3 cm at L4-L5", 1), ("12.0 mm at L3-L4", 0),
    ],
)  # fmt: skip
def test_values_of_the_same_thing_are_compared_to_the_digits_written(told: str, errors: int) -> None:
    truth = "Canal AP diameter 9.8 mm at L4-L5. Disc bulge at L4-L5."
    corpus = SpineFact().score([f"Canal AP diameter {told}. Disc bulge at L4-L5."], [[truth]]).corpus
    assert corpus["spinefact_value_errors"] == errors
    assert corpus["spinefact_f1"] == 1.0


def test_a_wide_denial_gives_way_to_what_is_named() -> None:
    told = "No disc herniation at any level. Disc herniation at L5-S1. Disc bulge at L4-L5."
    truth = "L4-L5: disc bulge, no disc herniation. L5-S1: disc herniation."
    assert {pair.outcome.value for pair in compare_texts(told, truth).pairs} == {"match"}
    swapped = compare_texts(truth, told)
    assert {pair.outcome.value for pair in swapped.pairs} == {"match"}


def test_a_lone_denial_elsewhere_is_no_moved_finding() -> None:
    outcomes = [pair.outcome.value for pair in compare_texts("No Modic change at L3-L4.", NORMAL).pairs]
    assert outcomes.count("invented") == 1
    assert "level" not in outcomes
