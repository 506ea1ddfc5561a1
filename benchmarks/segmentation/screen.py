"""The screen's table: every variant with its spread over seeds and its paired difference to the base."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.segmentation.scoring import FOREGROUND, Row
from benchmarks.segmentation.tables import compare, interval_record, is_low_good, patient_means
from evaluation.bootstrap import Interval

Results = Mapping[tuple[str, int], Sequence[Row]]
"""(variant, seed) -> rows."""
SHOWN = {
    "SPACE disc Dice": "disc",
    "SPACE vertebra Dice": "vertebra",
    "SPACE spinal_canal Dice": "canal",
    "SPACE thin discs Dice": "thin discs",
    "SPACE narrowed canal Dice": "narrowed canal",
    "SPACE vertebra HD95 mm": "vertebra HD95, mm",
    "T1 and T2 vertebra Dice": "T1/T2 vertebra",
    "T2 points within 0.3 pitch (raw peaks)": "points",
}
"""Tasks of the table beside the mean foreground Dice, and their column heads."""


@dataclass(frozen=True)
class Variant:
    """What the seeds of a variant say of one task.

    Attributes:
        mean: Over patients, then seeds.
        spread: Standard deviation of the seeds' means; None of a single seed.
        seeds: How many.
        difference: To the base, patients paired, each by its mean over the seeds both have; None for the base.
        better_seeds: Seeds of which the variant's mean is the better one.
    """

    mean: float
    spread: float | None
    seeds: int
    difference: Interval | None
    better_seeds: int


def judge(results: Results, variant: str, base: str, task: str) -> Variant | None:
    """Return what is known of a variant and a task; None when nothing is."""
    own = {seed: rows for (name, seed), rows in results.items() if name == variant and patient_means(rows, task)}
    if not own:
        return None
    means = {seed: float(np.mean(list(patient_means(rows, task).values()))) for seed, rows in own.items()}
    other = {seed: results[base, seed] for seed in own if (base, seed) in results}
    spread = float(np.std(list(means.values()), ddof=1)) if len(means) > 1 else None
    difference, better = None, 0
    if variant != base and other:
        pairs = compare(_of_task(task, (own[seed] for seed in other)), _of_task(task, other.values()))
        difference = pairs[task].interval if task in pairs else None
        better = sum(_is_better(means[seed], rows, task) for seed, rows in other.items())
    return Variant(float(np.mean(list(means.values()))), spread, len(means), difference, better)


def screen_table(results: Results, base: str) -> str:
    """Return the screen as a Markdown table, the base first."""
    variants = [base, *(name for name in dict.fromkeys(name for name, _ in results) if name != base)]
    heads = [
        "variant",
        "mean foreground Dice (sd over seeds)",
        "difference to base (95 % over patients)",
        "better seeds",
    ]
    lines = ["| " + " | ".join([*heads, *SHOWN.values()]) + " |", "|" + "---|" * (len(heads) + len(SHOWN))]
    for name in variants:
        told = judge(results, name, base, FOREGROUND)
        if told is None:
            continue
        spread = "" if told.spread is None else f" ({told.spread:.3f})"
        better = "" if told.difference is None else f"{told.better_seeds} of {told.seeds}"
        cells = [name, f"{told.mean:.3f}{spread}", _signed(told.difference), better]
        cells += [_cell(judge(results, name, base, task)) for task in SHOWN]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_screen(file: Path, results: Results, base: str) -> None:
    """Write every variant and task as JSON."""
    tasks = list(dict.fromkeys(row.task for rows in results.values() for row in rows))
    record: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for name, _ in results):
        for task in tasks:
            told = judge(results, name, base, task)
            if told is not None:
                record.setdefault(name, {})[task] = {
                    "mean": told.mean,
                    "spread": told.spread,
                    "seeds": told.seeds,
                    "difference": None if told.difference is None else interval_record(told.difference),
                    "better_seeds": told.better_seeds,
                }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"base": base, "variants": record}, indent=1) + "\n", encoding="utf-8")


def _of_task(task: str, groups: Iterable[Sequence[Row]]) -> list[Row]:
    return [row for rows in groups for row in rows if row.task == task]


def _is_better(mean: float, base: Sequence[Row], task: str) -> bool:
    other = float(np.mean(list(patient_means(base, task).values())))
    return mean < other if is_low_good(task) else mean > other


def _cell(told: Variant | None) -> str:
    """Return a mean, marked where the interval of its difference to the base leaves zero out."""
    if told is None:
        return ""
    is_told_apart = told.difference is not None and not told.difference.low <= 0 <= told.difference.high
    return f"{told.mean:.3f}{'*' if is_told_apart else ''}"


def _signed(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f}, n={interval.patients})"
