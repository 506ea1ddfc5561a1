"""METEOR 1.5 by the Java program that pycocoevalcap carries; matching is Java's, the score is computed here.

The program prints, for each report, how many words matched by which means. The score follows from those numbers,
summed over reports for the corpus, so a bootstrap needs no further run of Java. Source: Denkowski and Lavie,
"Meteor Universal", WMT 2014; the parameters are those of METEOR 1.5 for English. Page: docs/metrics/meteor.md.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.text.base import MetricUnavailable, TextScores
from evaluation.text.corpus import corpus_of_texts
from evaluation.text.java import find_jar, find_java, run_java

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.20, 0.60, 0.75
WEIGHTS = np.asarray((1.0, 0.6, 0.8, 0.6))
"""Exact, stem, synonym and paraphrase matches."""
_NUMBERS = 23
_START_S, _EACH_S = 300.0, 1.0


class Meteor:
    """METEOR, with one run of Java a call.

    Args:
        limit_s: Seconds after which Java is ended; None allows five minutes and one second a report.

    Raises:
        MetricUnavailable: If there is no Java runtime or no pycocoevalcap.
    """

    names = ("meteor",)

    def __init__(self, *, limit_s: float | None = None) -> None:
        find_java("meteor")
        self._jar = find_jar("meteor", "meteor-1.5.jar")
        self._limit_s = limit_s

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts; the corpus figure pools the matches of all reports, it is no mean.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
            MetricUnavailable: If Java fails or passes the limit.
        """
        corpus = corpus_of_texts(predictions, references)
        numbers = self._count_matches(corpus.predictions, corpus.references)

        def corpus_of(rows: NDArray[np.intp]) -> Mapping[str, float]:
            return {"meteor": float(_score(_poolable(numbers)[rows].sum(axis=0, keepdims=True))[0])}

        return TextScores(corpus_of(np.arange(len(numbers))), {"meteor": _score(numbers)}, corpus_of)

    def _count_matches(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]]
    ) -> NDArray[np.float64]:
        """Return the program's 23 numbers of each report (see ``_score``)."""
        lines = [
            " ||| ".join(("SCORE", *texts, text.replace("|||", "").replace("  ", " ")))
            for text, texts in zip(predictions, references, strict=True)
        ]
        options = ("-Xmx2G", "-jar", str(self._jar), "-", "-", "-stdio", "-l", "en", "-norm")
        limit_s = _START_S + _EACH_S * len(lines) if self._limit_s is None else self._limit_s
        with tempfile.TemporaryDirectory() as folder:
            printed = run_java(
                "meteor", options, text="\n".join(lines) + "\n", limit_s=limit_s, folder=Path(folder)
            ).split("\n")
        rows = [line.split() for line in printed if line.strip()]
        if len(rows) != len(lines) or any(len(row) != _NUMBERS for row in rows):
            raise MetricUnavailable(
                f"meteor: expected {len(lines)} lines of {_NUMBERS} numbers from Java, got {len(rows)} lines"
            )
        return np.asarray(rows, dtype=np.float64)


def _score(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return METEOR of rows of the program's numbers.

    Columns: words of the text and of the reference, function words of both; then for each way of matching the
    content words matched in text and reference and the function words matched in both; runs of matched words;
    words matched in text and reference.
    """
    matches = numbers[:, 4:20].reshape(-1, len(WEIGHTS), 4)
    told = _share(matches[..., 0], matches[..., 2], numbers[:, 0], numbers[:, 2])
    truth = _share(matches[..., 1], matches[..., 3], numbers[:, 1], numbers[:, 3])
    mean = _divide(told * truth, ALPHA * told + (1 - ALPHA) * truth)
    runs = np.where(_is_copy(numbers), 0.0, numbers[:, 20])
    scores: NDArray[np.float64] = mean * (1 - GAMMA * _divide(runs, (numbers[:, 21] + numbers[:, 22]) / 2) ** BETA)
    return scores


def _share(
    content: NDArray[np.float64], function: NDArray[np.float64], words: NDArray[np.float64],
    function_words: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Return the share of words that are matched, weighted by kind of word and way of matching."""
    matched = (DELTA * content + (1 - DELTA) * function) @ WEIGHTS
    return _divide(matched, DELTA * (words - function_words) + (1 - DELTA) * function_words)


def _poolable(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers to sum over reports: a copy of the reference counts no run, as for itself."""
    pooled = numbers.copy()
    pooled[_is_copy(numbers), 20] = 0.0
    return pooled


def _is_copy(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether all words of both texts match in one run."""
    whole = (numbers[:, 21] == numbers[:, 0]) & (numbers[:, 22] == numbers[:, 1])
    is_copy: NDArray[np.bool_] = whole & (numbers[:, 20] == 1)
    return is_copy


def _divide(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
