"""What a text metric is: names, corpus figures, one value a report, and the figures of any choice of reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextScores:
    """Scores of a corpus of reports.

    Attributes:
        corpus: Name -> figure.
        per_report: Same names -> (N,) in the order given.
        corpus_of: Corpus figures of the chosen rows (repeats allowed), for the bootstrap; document frequencies
            stay those of all references.
    """

    corpus: Mapping[str, float]
    per_report: Mapping[str, NDArray[np.float64]]
    corpus_of: Callable[[NDArray[np.intp]], Mapping[str, float]]


class TextMetric(Protocol):
    """Scores predictions against one or several references each."""

    names: tuple[str, ...]

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score a corpus."""
