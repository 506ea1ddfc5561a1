"""The same figures as pycocoevalcap with its own Java tokeniser, on fewer pairs than `benchmarks.text_metrics`."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.text_pairs import PairSet, pair_sets
from evaluation.text import open_metric
from evaluation.text.java import find_jar, run_java
from evaluation.text.tokens import PUNCTUATION, tokenise
from tests.evaluation.text.corpora import STORED, TOLD, TRUTH

needs_java = pytest.mark.skipif(
    shutil.which("java") is None, reason="no java on the PATH: install default-jre-headless (Debian)"
)


def _java_tokens(texts: list[str], folder: Path) -> list[str]:
    """Return the tokens of the jar of pycocoevalcap, run as its wrapper does but in a folder of the test."""
    (folder / "texts").write_text("\n".join(text.replace("\n", " ") for text in texts), encoding="utf-8")
    jar = find_jar("tokenizer", "stanford-corenlp-3.4.1.jar")
    options = ("-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", "texts")
    lines = run_java("tokenizer", options, limit_s=120, folder=folder).split("\n")
    return [" ".join(word for word in line.rstrip().split(" ") if word not in PUNCTUATION) for line in lines]


def _sets() -> list[PairSet]:
    return list(pair_sets(Path(), notes=0, grammar=6, odd=150))


@needs_java
def test_tokens_are_those_of_java(tmp_path: Path) -> None:
    texts = [text for pairs in _sets() for row in (pairs.predictions, *pairs.references) for text in row]
    assert [tokenise(text) for text in texts] == _java_tokens(texts, tmp_path)


@needs_java
@pytest.mark.data
def test_tokens_of_real_notes_are_those_of_java(data_dir: Path, tmp_path: Path) -> None:
    notes = next(pair_sets(data_dir, notes=100, grammar=0, odd=0))
    texts = [text for row in (notes.predictions, *notes.references) for text in row]
    assert [tokenise(text) for text in texts] == _java_tokens(texts, tmp_path)


def test_figures_are_those_of_pycocoevalcaps_scorers() -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    for pairs in (item for item in _sets() if item.name == "odd" or "sacroiliac" in item.name):  # short ones
        told = {place: [tokenise(text)] for place, text in enumerate(pairs.predictions)}
        truth = {place: [tokenise(text) for text in texts] for place, texts in enumerate(pairs.references)}
        figures, reports = Bleu(4).compute_score(truth, told, verbose=0)
        ours = open_metric("bleu").score(pairs.predictions, pairs.references)
        for order, name in enumerate(ours.corpus):
            assert ours.corpus[name] == pytest.approx(figures[order], abs=1e-6)
            assert np.abs(ours.per_report[name] - reports[order]).max() < 1e-6
        for name, scorer in (("rouge_l", Rouge()), ("cider", Cider())):
            figure, values = scorer.compute_score(truth, told)
            scores = open_metric(name).score(pairs.predictions, pairs.references)
            assert scores.corpus[name] == pytest.approx(figure, abs=1e-6)
            assert np.abs(scores.per_report[name] - values).max() < 1e-6


@needs_java
@pytest.mark.slow  # METEOR's program reads its tables for 5 to 15 s
def test_meteor_is_that_of_the_stored_run() -> None:
    scores = open_metric("meteor").score(TOLD, TRUTH)
    figure, reports = STORED["meteor"]
    assert scores.corpus["meteor"] == pytest.approx(figure, abs=1e-9)
    assert scores.per_report["meteor"] == pytest.approx(reports, abs=1e-9)
