"""Pairs of report texts of several styles to compare two implementations of a text metric on.

Radiologists' notes (where ``SPINESCRIBE_DATA`` has them), text of our grammar for drawn findings of three body
regions in four styles, and texts made of what tokenisers stumble over. They are compared with each other only: no
figure on them says how good a report is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from anatomy import load_protocol
from grading.types import Findings
from reporting.serialise import graded_levels
from vlm.training.corpus import STYLES, level_text, load_notes
from vlm.training.synthetic_findings import draw_findings

REGIONS = ("lumbar", "cervical", "sacroiliac")
ODD_PIECES = (
    "L4-L5", "L4/L5 &L5/S1", "L4-5:", "(mild)", "9.8 mm,", "9.8mm", "1.5T", "10%", "1/2", "1 1/2 cm",
    "12/03/2014", "2014-01-01", "15:30", "1,000.5", ".5", "-3", "+2", "e.g.", "i.e. this,", "etc.", "etc., and",
    "vs.", "approx. 5", "No. 5", "Fig. 3b", "Dr. Smith", "the patient's", "doesn't", "don’t", "cannot",
    "\"quoted\"", "'single'", "“smart”", "[bracket]", "{brace}", "<tag>", "<5mm", ">= 5", "a--b", "a–b", "...",
    "…", "naïve", "5µm", "±2", "30°", "m²", "3×4", "→", "½", "€5", "#1", "*", "~5", "_under_", "\\", "and/or",
    "U.S.", "a.m.", "Schmorl's", "Baker’s", "o'clock", "www.x.org", "x@y.org", "word.Next", "level,mild",
    "T2-weighted", "T2.-weighted", "&amp;", "AT&T", "!!", "?!", "😀", "800 555 1212", "5'6\"", "non-specific",
    "L5 S. The", "pre-and", "C3/4/5", "II/III", "\tx", "II.", "L5.S1", "(8)", ":)", "S1 nerve", "disc", "bulge",
    "no", "canal", "normal",
)  # fmt: skip


@dataclass(frozen=True)
class PairSet:
    """Predictions with their references.

    Attributes:
        name: What kind of text.
        predictions: One text each.
        references: One to three texts each.
    """

    name: str
    predictions: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]


def pair_sets(data_dir: Path, *, notes: int, grammar: int, odd: int, seed: int = 7) -> Iterator[PairSet]:
    """Yield the sets: ``notes`` pairs of notes, ``grammar`` pairs for each region and style, ``odd`` odd pairs.

    Raises:
        StudyError: If notes are asked for and not there.
    """
    rng = np.random.default_rng([seed, 0])
    if notes:
        texts = load_notes(data_dir, validation=False) + load_notes(data_dir, validation=True)
        yield _paired("notes", [str(texts[index]) for index in rng.integers(len(texts), size=4 * notes)], rng)
    for region in REGIONS:
        for style in STYLES:
            if grammar:
                yield _grammar_pairs(region, style, grammar, rng)
    if odd:
        rng = np.random.default_rng([seed, 1])
        yield _paired("odd", [_odd_text(rng) for _ in range(4 * odd)], rng)


def _paired(name: str, texts: list[str], rng: np.random.Generator) -> PairSet:
    """Return a fourth of the texts as predictions, with one to three of the rest as references."""
    count = len(texts) // 4
    numbers = rng.integers(1, 4, size=count)
    references = [tuple(texts[count + 3 * place :][: int(numbers[place])]) for place in range(count)]
    return PairSet(name, tuple(texts[:count]), tuple(references))


def _grammar_pairs(region: str, style: str, count: int, rng: np.random.Generator) -> PairSet:
    """Return texts in one style with references on the same findings, or on others every third time."""
    protocol = load_protocol(region)
    predictions, references = [], []
    for place in range(count):
        findings = draw_findings(rng, protocol)
        predictions.append(_text(findings, style, rng))
        told = draw_findings(rng, protocol) if place % 3 == 0 else findings
        others = [STYLES[int(rng.integers(len(STYLES)))] for _ in range(int(rng.integers(1, 4)))]
        references.append(tuple(_text(told, other, rng) for other in others))
    return PairSet(f"grammar, {region}, {style}", tuple(predictions), tuple(references))


def _text(findings: Findings, style: str, rng: np.random.Generator) -> str:
    return " ".join(level_text(findings, level, style, rng) for level in graded_levels(findings))


def _odd_text(rng: np.random.Generator) -> str:
    """Return up to thirty odd pieces, sometimes without blanks between; now and then nothing but punctuation.

    A web address keeps its blanks: what is glued to one is cut by rules of addresses that are not all ours.
    """
    if rng.random() < 0.02:
        return ["...", ". , ;", "-", "''"][int(rng.integers(4))]
    pieces = [ODD_PIECES[int(rng.integers(len(ODD_PIECES)))] for _ in range(int(rng.integers(1, 30)))]
    gaps = [
        "" if rng.random() < 0.1 and "www" not in piece + after else " "
        for piece, after in pairwise((*pieces, ""))
    ]
    return "".join(piece + gap for piece, gap in zip(pieces, gaps, strict=True)) + " end"
