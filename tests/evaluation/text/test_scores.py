import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.text import compute, open_metric
from evaluation.text.corpus import forget_texts
from evaluation.text.rouge import common_subsequence
from runtime import StudyError
from tests.evaluation.text.corpora import CORPORA, STORED, TOLD, TRUTH

_OFFLINE = ("bleu", "rouge_l", "cider", "cider_d", "cider_plain")
_FULL = {"cider": 10.0, "cider_d": 10.0, "cider_plain": 10.0}
Corpora = list[tuple[str, list[str]]]


@pytest.mark.parametrize("metric", ["bleu", "rouge_l", "cider"])
def test_figures_are_the_stored_ones_of_pycocoevalcap(metric: str) -> None:
    scores = open_metric(metric).score(TOLD, TRUTH)
    for name in scores.corpus:
        figure, reports = STORED[name]
        assert scores.corpus[name] == pytest.approx(figure, abs=1e-9)
        assert scores.per_report[name] == pytest.approx(reports, abs=1e-9)


@pytest.mark.parametrize("metric", _OFFLINE)
def test_the_chosen_rows_decide_the_corpus_figure(metric: str) -> None:
    scores = open_metric(metric).score(TOLD, TRUTH)
    assert scores.corpus_of(np.arange(4)) == pytest.approx(dict(scores.corpus))
    twice = scores.corpus_of(np.array([1, 1]))
    for name in scores.corpus:
        assert twice[name] == pytest.approx(scores.per_report[name][1], abs=1e-5)  # BLEU's constants count once


def test_two_empty_texts_score_as_the_original_scores_them() -> None:
    figures = compute(predictions=["...", "disc"], references=["-", "disc"])
    per_report = figures["per_report"]
    assert isinstance(per_report, dict)
    assert per_report["rouge_l"][0] == 1.0
    assert per_report["bleu_1"][0] == 0.0
    assert per_report["cider"][0] == 0.0


def test_cider_d_differs_from_cider_where_a_text_is_empty_only() -> None:
    told, truth = ["disc bulge", ""], [["disc bulge", "disc"], ["bulge"]]
    ours, paper = (open_metric(name).score(told, truth).per_report[name] for name in ("cider", "cider_d"))
    assert paper == pytest.approx(ours)


def test_cider_plain_has_neither_clipping_nor_a_length_penalty() -> None:
    told = ["disc disc disc", "canal"]
    truth = [["disc"], ["canal"]]
    plain = open_metric("cider_plain").score(told, truth).per_report["cider_plain"]
    clipped = open_metric("cider_d").score(told, truth).per_report["cider_d"]
    # unigrams alone can match; the cosine is 1, clipped a third of it; the penalty is that of two words more
    assert plain[0] == pytest.approx(10 / 4)
    assert clipped[0] == pytest.approx(10 / 4 / 3 * np.exp(-4 / 72))


def test_document_frequencies_stay_those_of_all_references() -> None:
    told = ["severe canal stenosis", "no disc bulge", "severe canal stenosis"]
    scores = open_metric("cider").score(told, [[text] for text in told])
    assert scores.corpus_of(np.array([1]))["cider"] == pytest.approx(scores.per_report["cider"][1])


@settings(max_examples=15)
@given(CORPORA)
def test_identical_texts_score_the_maximum(pairs: Corpora) -> None:
    # four words of its own give each report n-grams of every order that are rare
    told = [f"{text} a{place} b{place} c{place} d{place}" for place, (text, _) in enumerate(pairs)]
    for metric in _OFFLINE:
        for name, values in open_metric(metric).score(told, [[text] for text in told]).per_report.items():
            assert values == pytest.approx(np.full(len(told), _FULL.get(name, 1.0)), abs=1e-6)


@settings(max_examples=15)
@given(CORPORA, st.randoms(use_true_random=False))
def test_the_order_of_reports_does_not_matter(pairs: Corpora, random: st.DataObject) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for metric in _OFFLINE:
        first = open_metric(metric).score([text for text, _ in pairs], [texts for _, texts in pairs])
        second = open_metric(metric).score([text for text, _ in shuffled], [texts for _, texts in shuffled])
        assert second.corpus == pytest.approx(dict(first.corpus))
        assert sorted(second.per_report[metric if metric != "bleu" else "bleu_4"]) == pytest.approx(
            sorted(first.per_report[metric if metric != "bleu" else "bleu_4"])
        )


@settings(max_examples=15)
@given(CORPORA)
def test_all_rows_are_the_corpus_and_nothing_is_kept_wrongly(pairs: Corpora) -> None:
    told, truth = [text for text, _ in pairs], [texts for _, texts in pairs]
    for metric in _OFFLINE:
        kept = open_metric(metric).score(told, truth)
        forget_texts()
        fresh = open_metric(metric).score(told, truth)
        assert fresh.corpus == kept.corpus
        assert fresh.corpus_of(np.arange(len(told))) == fresh.corpus


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_common_subsequence_is_that_of_the_textbook(first: list[str], second: list[str]) -> None:
    table = np.zeros((len(first) + 1, len(second) + 1), dtype=int)
    for row, word in enumerate(first, start=1):
        for column, other in enumerate(second, start=1):
            same = table[row - 1, column - 1] + 1
            table[row, column] = same if word == other else max(table[row - 1, column], table[row, column - 1])
    assert common_subsequence(first, second) == table[-1, -1]


@pytest.mark.parametrize(
    ("told", "truth", "words"),
    [
        ([], [], "at least one; got 0 and 0"),
        (["a"], [["a"], ["b"]], "got 1 and 2"),
        (["a", "b"], [["a"], []], "report 2 of 2: expected at least one reference"),
        (["a"], ["a"], "got plain text"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(told: list[str], truth: list[list[str]], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        open_metric("bleu").score(told, truth)
