"""CIDEr in its three forms: likeness of n-grams weighted by how rare they are among the references.

Source: Vedantam, Zitnick and Parikh, "CIDEr: consensus-based image description evaluation", CVPR 2015. What the
names mean:

- ``cider``: what pycocoevalcap 1.2 prints as CIDEr and papers quote. Its class ``Cider`` is in truth CIDEr-D: it
  clips, has the length penalty and the factor 10. It takes a text's number of *bigrams* for its length.
- ``cider_d``: CIDEr-D as the paper writes it, lengths in words. It differs from ``cider`` only where a text is
  empty.
- ``cider_plain``: CIDEr as the paper writes it: the cosine, without clipping or length penalty; times 10 as well.

The paper stems words first; none of these does. Document frequencies are counted on the references given, so a
figure holds for its corpus only, and one report alone scores 0. Page: docs/metrics/cider.md.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evaluation.text.base import TextScores, means_of
from evaluation.text.corpus import ORDERS, Corpus, corpus_of_texts

SIGMA = 6.0
"""Width of the length penalty, in words."""
SCALE = 10.0


class Cider:
    """CIDEr as pycocoevalcap prints it, the mean over reports."""

    names: tuple[str, ...] = ("cider",)

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
        """
        corpus = corpus_of_texts(predictions, references)
        likeness = np.mean([self._likeness(corpus, order) for order in ORDERS], axis=0)
        likeness *= self._length_penalty(corpus)
        numbers = [len(texts) for texts in corpus.references]
        summed = np.bincount(corpus.report_of, weights=likeness, minlength=len(numbers))
        return means_of({self.names[0]: SCALE * summed / numbers})

    def _likeness(self, corpus: Corpus, order: int) -> NDArray[np.float64]:
        """Return the cosine of each reference and its prediction over n-grams of one order, ``(T - N,)``."""
        told, truth = _weighted(corpus, order)
        own = told[corpus.report_of]
        products = np.asarray(self._overlap(own, truth).multiply(truth).sum(axis=1)).ravel()
        norms = _norm(own) * _norm(truth)
        likeness: NDArray[np.float64] = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return likeness

    def _overlap(self, told: csr_array, truth: csr_array) -> csr_array:
        """Return the prediction's weights, at most the reference's: words said twice do not count twice."""
        return told.minimum(truth)

    def _length_penalty(self, corpus: Corpus) -> NDArray[np.float64]:
        return _gaussian(corpus, np.maximum(0, corpus.lengths - 1))


class CiderD(Cider):
    """CIDEr-D as the paper defines it, the mean over reports."""

    names = ("cider_d",)

    def _length_penalty(self, corpus: Corpus) -> NDArray[np.float64]:
        return _gaussian(corpus, corpus.lengths)


class CiderPlain(Cider):
    """CIDEr as the paper defines it, times 10: no clipping, no length penalty; the mean over reports."""

    names = ("cider_plain",)

    def _overlap(self, told: csr_array, truth: csr_array) -> csr_array:
        return told

    def _length_penalty(self, corpus: Corpus) -> NDArray[np.float64]:
        return np.ones(len(corpus.report_of))


def _weighted(corpus: Corpus, order: int) -> tuple[csr_array, csr_array]:
    """Return counts times inverse document frequency, of predictions ``(N, ...)`` and references ``(T - N, ...)``.

    A document is a report with all its references.
    """
    counts, total = corpus.counts[order - 1], len(corpus.predictions)
    given = counts[total:]
    rows = len(corpus.report_of)
    member = csr_array((np.ones(rows), (corpus.report_of, np.arange(rows))), shape=(total, rows))
    frequency = np.bincount((member @ given).nonzero()[1], minlength=counts.shape[1])
    rarity = np.log(total) - np.log(np.maximum(1.0, frequency))
    weighted = counts.multiply(rarity[None, :]).tocsr()
    return weighted[:total], weighted[total:]


def _norm(weights: csr_array) -> NDArray[np.float64]:
    norm: NDArray[np.float64] = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1), dtype=float).ravel())
    return norm


def _gaussian(corpus: Corpus, lengths: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the penalty of each reference for its length being other than its prediction's, ``(T - N,)``."""
    total = len(corpus.predictions)
    difference = lengths[:total][corpus.report_of] - lengths[total:]
    return np.exp(-(difference.astype(float) ** 2) / (2 * SIGMA**2))
