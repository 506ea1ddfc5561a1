"""BLEU-1 to BLEU-4 of a corpus, as pycocoevalcap computes them: clipped n-gram precision with a brevity penalty.

Source: Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002; constants
and the choice of the closest reference length as in pycocoevalcap 1.2, bleu/bleu_scorer.py. Page:
docs/metrics/bleu.md.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.text.base import TextScores
from evaluation.text.corpus import ORDERS, Corpus, corpus_of_texts

_SMALL, _TINY = 1e-9, 1e-15
"""Added to denominators and numerators, so that a text shorter than n words scores near 0 and not 0/0."""


class Bleu:
    """BLEU-1 to BLEU-4."""

    names = tuple(f"bleu_{order}" for order in ORDERS)

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts; the corpus figure pools the n-grams of all reports, it is no mean.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
        """
        corpus = corpus_of_texts(predictions, references)
        total = len(corpus.predictions)
        lengths = corpus.lengths[:total]
        closest = _closest_lengths(corpus)
        correct = np.stack([_correct(corpus, order) for order in ORDERS], axis=1)
        stated = np.maximum(0, lengths[:, None] - np.arange(len(ORDERS)))

        def corpus_of(rows: NDArray[np.intp]) -> Mapping[str, float]:
            pooled = _bleu(
                correct[rows].sum(axis=0, keepdims=True), stated[rows].sum(axis=0, keepdims=True),
                lengths[rows].sum(keepdims=True), closest[rows].sum(keepdims=True),
            )  # fmt: skip
            return {name: float(value) for name, value in zip(self.names, pooled[0], strict=True)}

        each = _bleu(correct, stated, lengths, closest)
        per_report = {name: each[:, place] for place, name in enumerate(self.names)}
        return TextScores(corpus_of(np.arange(total)), per_report, corpus_of)


def _closest_lengths(corpus: Corpus) -> NDArray[np.intp]:
    """Return the reference length nearest to each prediction's, the shorter of two equally near, ``(N,)``."""
    total = len(corpus.predictions)
    lengths, closest, first = corpus.lengths, np.zeros(total, dtype=np.intp), total
    for place, texts in enumerate(corpus.references):
        own = lengths[first : first + len(texts)]
        order = np.lexsort((own, np.abs(own - lengths[place])))
        closest[place] = own[order[0]]
        first += len(texts)
    return closest


def _correct(corpus: Corpus, order: int) -> NDArray[np.float64]:
    """Return how many n-grams of each prediction are in its references, each as often as in one of them."""
    counts = corpus.counts[order - 1]
    total = len(corpus.predictions)
    stated, given = counts[:total], counts[total:]
    most = max(len(texts) for texts in corpus.references)
    allowed = None
    for turn in range(most):
        chosen = _nth_references(corpus, turn)
        rows = given[chosen]
        allowed = rows if allowed is None else allowed.maximum(rows)
    clipped: NDArray[np.float64] = np.asarray(stated.minimum(allowed).sum(axis=1), dtype=float).ravel()
    return clipped


def _nth_references(corpus: Corpus, turn: int) -> NDArray[np.intp]:
    """Return the row of each report's reference number ``turn``, its last where it has fewer, ``(N,)``."""
    numbers = np.asarray([len(texts) for texts in corpus.references])
    first = np.concatenate([[0], np.cumsum(numbers)[:-1]])
    rows: NDArray[np.intp] = first + np.minimum(turn, numbers - 1)
    return rows


def _bleu(
    correct: NDArray[np.float64], stated: NDArray[np.intp], length: NDArray[np.intp], reference: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return BLEU-1 to BLEU-4 in columns, of rows of pooled counts."""
    precision = np.cumprod((correct + _TINY) / (stated + _SMALL), axis=1)
    means = precision ** (1.0 / np.asarray(ORDERS))
    ratio = (length + _TINY) / (reference + _SMALL)
    with np.errstate(over="ignore"):
        penalty = np.where(ratio < 1.0, np.exp(1.0 - 1.0 / ratio), 1.0)
    scores: NDArray[np.float64] = means * penalty[:, None]
    return scores
