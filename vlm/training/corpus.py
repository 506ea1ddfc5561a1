"""Report language to learn from: real notes, and text of our own grammar with and without its findings.

Each document is drawn from a seeded generator, so the batch of a step is always the same and a resumed run reads
what an uninterrupted one would.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from grading.types import Findings
from reporting.grammar import compose_level
from reporting.serialise import graded_levels, serialise_level
from runtime.errors import StudyError
from vlm.prompt import PromptLayout
from vlm.tokenizer import TEXT
from vlm.training.protocols import ProtocolMix
from vlm.training.synthetic_findings import draw_findings

STYLES = ("structured", "telegraphic", "narrative", "patient")
VALIDATION_EVERY = 10
"""Every tenth note is kept for validation (one note is one patient)."""


@dataclass(frozen=True)
class CorpusMix:
    """Shares of the kinds of documents; they sum to 1."""

    notes: float
    """Radiologists' notes."""
    text: float
    """Grammar text of one to three levels, without its findings."""
    pairs: float
    """Serialised findings of one level (some or all of them), then their text, in a style that is not told."""


def load_notes(data_dir: Path, *, validation: bool) -> tuple[str, ...]:
    """Read the notes of ``sudirman/notes.csv``, either those to learn from or those kept for validation.

    Raises:
        StudyError: If the file is missing.
    """
    file = data_dir / "sudirman" / "notes.csv"
    if not file.is_file():
        raise StudyError(f"notes: expected {file.name} under {data_dir} (SPINESCRIBE_DATA), found nothing")
    with file.open(encoding="utf-8", newline="") as stream:
        notes = [" ".join(row["note"].split()) for row in csv.DictReader(stream)]
    return tuple(note for index, note in enumerate(notes) if (index % VALIDATION_EVERY == 0) is validation)


def draw_document(
    rng: np.random.Generator, mix: CorpusMix, notes: Sequence[str], layout: PromptLayout, regions: ProtocolMix
) -> tuple[str, str]:
    """Draw one document, special tokens written out.

    Returns:
        What is given (the findings of a pair; else empty) and what is learnt.
    """
    kind = rng.choice(3, p=[mix.notes, mix.text, mix.pairs])
    if kind == 0:
        return "", layout.note.format(text=notes[int(rng.integers(len(notes)))])
    findings = draw_findings(rng, regions.draw(rng))
    levels = graded_levels(findings)
    style = STYLES[int(rng.integers(len(STYLES)))]
    if kind == 1:
        first = int(rng.integers(len(levels)))
        count = int(rng.integers(1, 4))
        texts = [level_text(findings, level, style, rng) for level in levels[first : first + count]]
        return "", layout.text.format(text=" ".join(texts))
    level = levels[int(rng.integers(len(levels)))]
    some = _some_grades(findings, level, rng)
    pair = layout.pair.format(facts=serialise_level(some, level), text=level_text(some, level, style, rng))
    given, learnt = pair.split(TEXT, 1)
    return given + TEXT, learnt


def _some_grades(findings: Findings, level: str | None, rng: np.random.Generator) -> Findings:
    """Return findings with a random part of one level's grades, sometimes in another order.

    Short lists make it plain which word of the text comes from which finding; any order occurs in impressions.
    """
    grades = findings.grades_at(level)
    chosen = rng.permutation(len(grades))[: int(rng.integers(1, len(grades) + 1))]
    if rng.random() < 0.7:
        chosen = np.sort(chosen)
    return replace(findings, grades=tuple(grades[int(index)] for index in chosen))


def level_text(findings: Findings, level: str | None, style: str, rng: np.random.Generator | None) -> str:
    """Return the grammar's text on one level; with no generator in the composer's wording."""
    words = None if rng is None else Random(int(rng.integers(2**31)))
    return " ".join(item.text for item in compose_level(findings, level, style=style, rng=words))


def tokenizer_corpus(
    documents: int, seed: int, mix: CorpusMix, notes: Sequence[str], layout: PromptLayout, regions: ProtocolMix
) -> Iterator[str]:
    """Yield the texts that the tokenizer is trained on: the notes, then drawn documents."""
    yield from notes
    rng = np.random.default_rng(seed)
    for _ in range(documents):
        yield "".join(draw_document(rng, mix, notes, layout, regions))
