"""What every text metric gives: figures of the corpus, of each report, and of any choice of reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ConfigError, StudyError


class MetricUnavailable(ConfigError):  # noqa: N818 - reads as the state it is
    """A metric cannot run here; the message names what to install. Callers skip it by name or stop."""


@dataclass(frozen=True)
class TextScores:
    """Scores of a corpus of N reports.

    Attributes:
        corpus: Name -> figure of the whole corpus.
        per_report: Name -> ``(N,)`` float64, in the order given. A corpus figure need not be their mean (BLEU).
        corpus_of: Rows (``(M,)`` indices, repeats allowed) -> the corpus figures of those reports, for the
            bootstrap; document frequencies stay those of all references.
    """

    corpus: Mapping[str, float]
    per_report: Mapping[str, NDArray[np.float64]]
    corpus_of: Callable[[NDArray[np.intp]], Mapping[str, float]]


class TextMetric(Protocol):
    """A metric of report texts.

    Attributes:
        names: The figures it gives.
    """

    names: tuple[str, ...]

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts against one or more references each.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
        """
        ...


def check_pairs(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Refuse what cannot be scored.

    Raises:
        StudyError: If there is no report, the numbers differ, or a report has no reference.
    """
    if isinstance(predictions, str) or any(isinstance(texts, str) for texts in references):
        raise StudyError("expected a list of predictions and a list of references for each, got plain text")
    if len(predictions) != len(references) or not predictions:
        numbers = f"{len(predictions)} and {len(references)}"
        raise StudyError(f"expected as many predictions as lists of references, at least one; got {numbers}")
    for place, texts in enumerate(references):
        if not texts:
            raise StudyError(f"report {place + 1} of {len(references)}: expected at least one reference, got none")


def means_of(per_report: Mapping[str, NDArray[np.float64]]) -> TextScores:
    """Return the scores of a metric whose corpus figure is the mean over reports."""

    def corpus_of(rows: NDArray[np.intp]) -> Mapping[str, float]:
        return {name: float(values[rows].mean()) for name, values in per_report.items()}

    count = len(next(iter(per_report.values())))
    return TextScores(corpus_of(np.arange(count)), per_report, corpus_of)
