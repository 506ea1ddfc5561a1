"""Reports as words: when two are the same text, the same template, and how alike they are by weighted n-grams."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

N_GRAMS = 4
_WORD = re.compile(r"[a-z0-9]+(?:[-/.][a-z0-9]+)*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?= ?(?:mm|cm|%|deg|years?)\b)")


def same_text(text: str) -> str:
    """Return a text without what does not make it another: case, and the width of gaps."""
    return " ".join(text.lower().split())


def template_of(text: str) -> str:
    """Return a text with its values masked: reports that differ only in them are one template."""
    return _NUMBER.sub("#", same_text(text))


def likeness(texts: Sequence[str], corpus: Sequence[str]) -> NDArray[np.float64]:
    """Return how alike texts are, (N, N), 0 to 1: CIDEr between them, divided by 10.

    Each text is a vector of its n-gram counts, weighted by log(documents / documents with the n-gram); the figure
    is the cosine, averaged over n = 1 to 4. Equal texts are 1, also where nothing in them is rare.

    Args:
        texts: What is compared.
        corpus: Where documents are counted.

    Source: Vedantam et al., CVPR 2015 (CIDEr without its length penalty).
    """
    kernel = np.zeros((len(texts), len(texts)))
    for n in range(1, N_GRAMS + 1):
        table = _weighted(texts, corpus, n)
        kernel += (table @ table.T).toarray() / N_GRAMS
    same = np.array([same_text(text) for text in texts])
    kernel[same[:, None] == same[None, :]] = 1.0
    return np.clip(kernel, 0.0, 1.0)


def _weighted(texts: Sequence[str], corpus: Sequence[str], n: int) -> csr_matrix:
    """Return unit vectors of n-grams, one row a text."""
    documents = Counter(gram for text in corpus for gram in set(_grams(text, n)))
    columns: dict[tuple[str, ...], int] = {}
    rows, places, values = [], [], []
    for row, text in enumerate(texts):
        for gram, count in Counter(_grams(text, n)).items():
            rows.append(row)
            places.append(columns.setdefault(gram, len(columns)))
            values.append(count * math.log(len(corpus) / max(1, documents[gram])))
    table = csr_matrix((values, (rows, places)), shape=(len(texts), max(1, len(columns))))
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return csr_matrix(table.multiply(scale[:, None]))


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return [tuple(words[index : index + n]) for index in range(len(words) - n + 1)]
