"""Draw of the 80 real notes that were labelled by hand: seeded, by strata, no two notes of nearly the same words.

``python -m benchmarks.notes_draw NOTES_CSV`` prints the ids of both halves. A note belongs to the first stratum
whose words it holds; strata are filled in that order, so that rare words (hedges, stenosis) occur in both halves.
The draw reads words, not facts: it knows nothing of the parser.
"""

import argparse
import csv
import difflib
import random
import re
from pathlib import Path

SEED = 6
"""Seed of the draw and of the split into halves."""

ALIKE = 0.85
"""Two notes whose words agree more than this (difflib ratio over words) count as nearly the same."""

STRATA: dict[str, tuple[str, int]] = {
    "hedge": (r"\bprobabl|\bpossib|\bsuspect|\bsuggest|\blikely\b|\bexclude|\?", 6),
    "stenosis": (r"\bstenos|\bnarrow", 18),
    "several levels": (r"\b[lds]\d+\W.*\b(l1|l2|l3)\b", 20),
    "negation": (r"\bno\b|\bnot\b|\bwithout\b|\bnormal\b|\badequate\b", 18),
    "other": (r"", 18),
}
"""Stratum -> pattern in lower-case text, and how many notes are drawn (an even number: half go to each half)."""


def read_notes(file: Path) -> dict[str, str]:
    """Return ``patient id -> note`` of ``notes.csv`` (columns ``patient`` and ``note``)."""
    with file.open(encoding="utf-8", newline="") as stream:
        return {row["patient"]: row["note"] for row in csv.DictReader(stream)}


def draw(notes: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the ids of the development half and of the frozen half, in numeric order.

    Raises:
        ValueError: If a stratum holds too few distinct notes.
    """
    rng = random.Random(SEED)
    taken: dict[str, list[str]] = {}
    halves: tuple[list[str], list[str]] = ([], [])
    for name, (_, wanted) in STRATA.items():
        candidates = sorted((key for key, note in notes.items() if stratum_of(note) == name), key=int)
        rng.shuffle(candidates)
        chosen = _distinct(candidates, notes, taken, wanted)
        if len(chosen) < wanted:
            raise ValueError(f"stratum {name!r}: expected {wanted} distinct notes, found {len(chosen)}")
        halves[0].extend(chosen[::2])
        halves[1].extend(chosen[1::2])
    return sorted(halves[0], key=int), sorted(halves[1], key=int)


def stratum_of(note: str) -> str:
    """Return the first stratum whose pattern the note holds."""
    text = note.lower()
    return next(name for name, (pattern, _) in STRATA.items() if re.search(pattern, text, re.DOTALL))


def _distinct(candidates: list[str], notes: dict[str, str], taken: dict[str, list[str]], wanted: int) -> list[str]:
    """Take candidates in order until enough are found that are unlike all ``taken``, which grows."""
    chosen: list[str] = []
    for key in candidates:
        words = re.findall(r"[a-z0-9]+", notes[key].lower())
        if len(chosen) < wanted and all(_alikeness(words, other) <= ALIKE for other in taken.values()):
            taken[key] = words
            chosen.append(key)
    return chosen


def _alikeness(words: list[str], other: list[str]) -> float:
    return difflib.SequenceMatcher(None, words, other, autojunk=False).ratio()


def main() -> None:
    """Print the ids of both halves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notes", type=Path, help="notes.csv of the Sudirman data")
    halves = draw(read_notes(parser.parse_args().notes))
    for name, ids in zip(("development", "frozen"), halves, strict=True):
        print(f"{name}: {' '.join(ids)}")


if __name__ == "__main__":
    main()
