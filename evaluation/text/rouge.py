"""ROUGE-L: the longest common subsequence of words, as precision and recall, as pycocoevalcap computes it.

Source: Lin, "ROUGE: a package for automatic evaluation of summaries", ACL workshop 2004; beta and the maxima over
references as in pycocoevalcap 1.2, rouge/rouge.py. Page: docs/metrics/rouge-l.md.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.text.base import TextScores, means_of
from evaluation.text.corpus import corpus_of_texts

BETA = 1.2
"""Weight of recall against precision."""


class RougeL:
    """ROUGE-L, the mean over reports."""

    names = ("rouge_l",)

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
        """
        corpus = corpus_of_texts(predictions, references)
        scores = [_rouge_l(*pair) for pair in zip(corpus.predictions, corpus.references, strict=True)]
        return means_of({"rouge_l": np.asarray(scores, dtype=np.float64)})


def _rouge_l(prediction: str, references: Sequence[str]) -> float:
    """Return the F-measure of the best precision and the best recall over references.

    Texts are cut at single blanks, so an empty text is one empty word: two empty texts score 1.
    """
    told = prediction.split(" ")
    precision = recall = 0.0
    for text in references:
        truth = text.split(" ")
        common = common_subsequence(told, truth)
        precision = max(precision, common / len(told))
        recall = max(recall, common / len(truth))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence of two lists of words.

    One bit a word of ``first`` in a whole number, one addition a word of ``second``. Source: Hyyrö, "Bit-parallel
    LCS-length computation revisited", AWOCA 2004.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | (1 << place)
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        shared = row & places.get(word, 0)
        row = ((row + shared) | (row - shared)) & full
    return len(first) - row.bit_count()
