"""General knowledge with its sources: what a scale, a structure or a word means. Says nothing of the patient.

Entries are in ``vlm/chat/knowledge/*.yaml``. A question that names an entry's term is answered by that entry; for
others scikit-learn's TF-IDF ranks the entries (docs/decisions/0012-chat-retrieval.md says why that).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vlm.chat.lexicon import KNOWLEDGE, SPELLING
from vlm.chat.types import Part, PartKind

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

_FOLDER = Path(__file__).parent / "knowledge"
_LEAST_SIMILAR = 0.18
"""Least cosine similarity of a question and an entry; own choice."""


@dataclass(frozen=True)
class Entry:
    """A piece of general knowledge.

    Attributes:
        id: Unique.
        title: What it is about.
        terms: Words that name it, lower case.
        text: A few sentences.
        source: Where it is published.
    """

    id: str
    title: str
    terms: tuple[str, ...]
    text: str
    source: str


@dataclass(frozen=True)
class _Asking:
    """The words of ``definitions.yaml``."""

    asks: tuple[re.Pattern[str], ...]
    plainly: re.Pattern[str]
    fillers: frozenset[str]


def asks_for_knowledge(text: str) -> bool:
    """Return whether a question asks what something means."""
    return any(pattern.search(text.lower()) for pattern in _asking().asks)


def named_entries(text: str) -> list[Entry]:
    """Return the entries whose terms a question names, when they and filler words are (all but) all of it."""
    words = _words(text)
    left, found = f" {' '.join(words)} ", []
    for term, entry in _terms():
        if f" {term} " in left:
            left = left.replace(f" {term} ", "  ")
            found.append(entry)
    rest = [word for word in left.split() if word not in _asking().fillers]
    spare = 1 if _asking().plainly.search(text.lower()) else 0
    return list(dict.fromkeys(found)) if found and len(rest) <= spare else []


def find_entries(text: str, count: int = 1) -> list[Entry]:
    """Return the entries most like a question, best first; none that is hardly like it."""
    vectorizer, matrix, entries = _index()
    asked = vectorizer.transform([" ".join(word for word in _words(text) if word not in _asking().fillers)])
    similar = (matrix @ asked.T).toarray()[:, 0]
    order = sorted(range(len(entries)), key=lambda index: (-similar[index], index))
    return [entries[index] for index in order[:count] if similar[index] >= _LEAST_SIMILAR]


def say_entries(entries: Sequence[Entry]) -> list[Part]:
    """Return entries as parts of an answer."""
    return [Part(entry.text, (), PartKind.KNOWLEDGE, entry.source) for entry in entries]


@cache
def load_entries() -> tuple[Entry, ...]:
    """Read all entries."""
    rows = [row for file in sorted(_FOLDER.glob("*.yaml")) for row in _rows(file)]
    return tuple(
        Entry(row["id"], row["title"], tuple(row["terms"]), " ".join(row["text"].split()), row["source"])
        for row in rows
    )


def _rows(file: Path) -> list[dict[str, Any]]:
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return list(table["entries"])


def _words(text: str) -> list[str]:
    words = re.findall(r"[a-z0-9]+(?:[-'/][a-z0-9]+)*", text.lower().replace("’", "'"))
    return [SPELLING.get(word, word) for word in words]


@cache
def _asking() -> _Asking:
    table = yaml.safe_load((KNOWLEDGE / "definitions.yaml").read_text(encoding="utf-8"))
    patterns = tuple(re.compile(pattern) for pattern in table["asks"])
    return _Asking(patterns, re.compile(table["plainly"]), frozenset(table["fillers"].split()))


@cache
def _terms() -> tuple[tuple[str, Entry], ...]:
    pairs = [(" ".join(_words(term)), entry) for entry in load_entries() for term in entry.terms]
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0].split()), -len(pair[0]), pair[0])))


@cache
def _index() -> tuple[TfidfVectorizer, Any, tuple[Entry, ...]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    entries = load_entries()
    texts = [" ".join((entry.title, *entry.terms, *entry.terms, entry.text)) for entry in entries]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english")
    return vectorizer, vectorizer.fit_transform(texts), entries
