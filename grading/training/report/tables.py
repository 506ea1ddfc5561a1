"""Precision, recall and F1 of every step at every level, and confusion matrices (scikit-learn).

A step that no case has gets words instead of figures: 0 would look like a result.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grading.training.report.scored import Labelled, Scored

ALL_LEVELS = "all"
NO_CASES = "no cases"
NOT_SCORED = "not scored"
NEVER_NAMED = "never named"
Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class StepRow:
    """One step of one head at one level (or at all).

    Attributes:
        head: Name of the head.
        level: Disc level, or ``all``.
        step: Step, or ``macro`` for the mean over the steps that have cases.
        cases: Places whose true step it is.
        named: Places it was named at.
        patients: Patients scored at that level.
        precision: Share of the named that are right; words where there is none.
        recall: Share of the cases that were named; words where there is none.
        f1: Their harmonic mean; words where there is none.
    """

    head: str
    level: str
    step: str
    cases: int
    named: int
    patients: int
    precision: float | str
    recall: float | str
    f1: float | str

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, shares with three decimals."""
        shares = (self.precision, self.recall, self.f1)
        texts = (share if isinstance(share, str) else f"{share:.3f}" for share in shares)
        return (
            self.head, self.level, self.step, str(self.cases), str(self.named), str(self.patients), *texts,
        )  # fmt: skip


HEADER = ("head", "level", "step", "cases", "named", "patients", "precision", "recall", "f1")


def step_rows(scored: Scored, levels: Sequence[str]) -> list[StepRow]:
    """Return the rows of one head: all levels together, then each, those without any scored place as well."""
    rows = _rows_at(scored, ALL_LEVELS)
    for index, level in enumerate(levels):
        rows += _rows_at(scored.at(scored.levels == index), level)
    return rows


def _rows_at(scored: Scored, level: str) -> list[StepRow]:
    from sklearn.metrics import precision_recall_fscore_support

    patients = len(np.unique(scored.patients))
    if patients == 0:
        return [StepRow(scored.name, level, "-", 0, 0, 0, NOT_SCORED, NOT_SCORED, NOT_SCORED)]
    figures: Any = precision_recall_fscore_support(
        scored.truth, scored.named, labels=range(len(scored.steps)), average=None, zero_division=np.nan
    )
    precision, recall, f1, cases = figures
    named = np.bincount(scored.named, minlength=len(scored.steps))
    rows = [
        StepRow(
            scored.name, level, step, int(cases[k]), int(named[k]), patients,
            _share(precision[k], cases[k], named[k]), _share(recall[k], cases[k]), _share(f1[k], cases[k]),
        )
        for k, step in enumerate(scored.steps)
    ]  # fmt: skip
    return [*rows, _macro(scored, level, rows, patients)]


def _share(value: float, cases: int, named: int | None = None) -> float | str:
    if cases == 0:
        return NO_CASES
    return NEVER_NAMED if named == 0 else float(value)


def _macro(scored: Scored, level: str, rows: Sequence[StepRow], patients: int) -> StepRow:
    """Return unweighted means over the steps with cases; precision only where each of them was named."""
    means: list[float | str] = []
    for name in ("precision", "recall", "f1"):
        values = [getattr(row, name) for row in rows if row.cases]
        numbers = [value for value in values if not isinstance(value, str)]
        means.append(float(np.mean(numbers)) if len(numbers) == len(values) else "a step never named")
    total = len(scored.truth)
    return StepRow(scored.name, level, "macro", total, total, patients, means[0], means[1], means[2])


def confusion(scored: Scored) -> Matrix:
    """Return counts (K, K): true steps down, named steps across."""
    from sklearn.metrics import confusion_matrix

    steps = len(scored.steps)
    if len(scored.truth) == 0:
        return np.zeros((steps, steps), dtype=np.int64)
    return np.asarray(confusion_matrix(scored.truth, scored.named, labels=range(steps)), dtype=np.int64)


def balance_rows(labelled: Labelled, levels: Sequence[str]) -> list[tuple[str, ...]]:
    """Return (head, level, step, places, patients) of every level that is labelled, and of all."""
    rows: list[tuple[str, ...]] = []
    for index, level in [(-1, ALL_LEVELS), *enumerate(levels)]:
        here = np.ones(len(labelled.levels), dtype=bool) if index < 0 else labelled.levels == index
        for step, words in enumerate(labelled.steps):
            there = here & (labelled.truth == step)
            patients = len(np.unique(labelled.patients[there]))
            rows.append((labelled.name, level, words, str(int(there.sum())), str(patients)))
    return rows


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
