"""Tokens and n-gram counts of a corpus of report pairs, counted once and shared by the metrics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evaluation.text.base import check_pairs
from evaluation.text.tokens import forget_tokens, tokenise

ORDERS = (1, 2, 3, 4)
_KEPT = 2
"""Corpora whose counts are kept: those of the metrics that follow on the same texts."""


@dataclass(frozen=True)
class Corpus:
    """N predictions with their references, as tokens.

    Attributes:
        predictions: N tokenised texts.
        references: The tokenised references of each.
    """

    predictions: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The predictions, then all references, those of the first report first; T texts."""
        return (*self.predictions, *chain.from_iterable(self.references))

    @cached_property
    def report_of(self) -> NDArray[np.intp]:
        """Report of each reference, ``(T - N,)``."""
        return np.repeat(np.arange(len(self.references)), [len(texts) for texts in self.references])

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """Words of each text, ``(T,)``."""
        return np.asarray([len(words) for words in self._words], dtype=np.intp)

    @cached_property
    def counts(self) -> tuple[csr_array, ...]:
        """For n = 1 to 4 how often each n-gram of the corpus stands in each text, ``(T, n-grams of order n)``."""
        return tuple(_count(self._words))

    @cached_property
    def _words(self) -> list[list[str]]:
        return [text.split() for text in self.texts]


def corpus_of_texts(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Corpus:
    """Return the corpus of raw texts; asked again for the same ones, the same corpus with what it has counted.

    Raises:
        StudyError: If there is no report, the numbers differ, or a report has no reference.
    """
    check_pairs(predictions, references)
    return _corpus(tuple(predictions), tuple(tuple(texts) for texts in references))


@lru_cache(maxsize=_KEPT)
def _corpus(predictions: tuple[str, ...], references: tuple[tuple[str, ...], ...]) -> Corpus:
    return Corpus(
        tuple(tokenise(text) for text in predictions),
        tuple(tuple(tokenise(text) for text in texts) for texts in references),
    )


def _count(texts: Sequence[Sequence[str]]) -> Iterable[csr_array]:
    """Yield the counts of one order after the other.

    An n-gram's number is that of its first n - 1 words paired with that of its last word, made dense again, so no
    n-gram is ever written out.
    """
    numbers: dict[str, int] = {}
    words = np.asarray([numbers.setdefault(word, len(numbers)) for text in texts for word in text], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    left = np.concatenate([np.arange(len(text), 0, -1) for text in texts]) if texts else np.zeros(0, dtype=int)
    grams, place = words, np.arange(len(words))
    size = len(numbers)
    for order in ORDERS:
        if order > 1:
            stays = left[place] >= order
            place = place[stays]
            pairs = grams[stays] * len(numbers) + words[place + order - 1]
            distinct, grams = np.unique(pairs, return_inverse=True)
            size = len(distinct)
        ones = np.ones(len(place))
        yield csr_array((ones, (row[place], grams)), shape=(len(texts), max(1, size)))


def forget_texts() -> None:
    """Drop all kept tokens and counts, as a first run of a process has none."""
    _corpus.cache_clear()
    forget_tokens()
