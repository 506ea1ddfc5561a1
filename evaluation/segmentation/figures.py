"""Figures of many cases: means over those that have them, and shares of all levels."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.result import Row
from evaluation.scoring import Rows
from evaluation.segmentation.levels import FOUND, MISSED, WRONG_BY_MORE, WRONG_BY_ONE
from evaluation.segmentation.overlap import STRUCTURE_LABELS
from evaluation.segmentation.pairs import CaseScore

METRICS = ("dice", "iou", "hd95_mm", "surface_dice")
OUTCOMES = (FOUND, WRONG_BY_ONE, WRONG_BY_MORE, MISSED)


def figures_of(scores: Sequence[CaseScore]) -> Callable[[Rows], dict[str, float]]:
    """Return what gives the figures of any choice of cases.

    ``dice_disc`` and so on are means over the cases that have the structure; plain ``dice`` is the mean over
    structures; level shares are over all levels of the references.
    """
    columns = {
        (metric, name): np.array([value_of_case(score, metric, name) for score in scores])
        for metric in METRICS
        for name in present_structures(scores)
    }
    counts = np.array([[count(score, outcome) for outcome in OUTCOMES] for score in scores], dtype=np.float64)
    distances = [list(score.levels.distance_mm.values()) if score.levels else [] for score in scores]
    sums = np.array([[sum(items), len(items)] for items in distances], dtype=np.float64)

    def figures(rows: Rows) -> dict[str, float]:
        means = {key: _mean(values[rows]) for key, values in columns.items()}
        overall = {
            metric: _mean(np.array([mean for (kind, _), mean in means.items() if kind == metric]))
            for metric in METRICS
        }
        by_structure = {f"{metric}_{name}": mean for (metric, name), mean in means.items()}
        return {**(overall if means else {}), **by_structure, **_level_figures(counts[rows], sums[rows])}

    return figures


def present_structures(scores: Sequence[CaseScore]) -> list[str]:
    """Return the structures that some mask holds."""
    return [name for name in STRUCTURE_LABELS if any(any(score.presence.get(name, ())) for score in scores)]


def value_of_case(score: CaseScore, metric: str, structure: str) -> float:
    """Return one score of a case, nan where it has none."""
    if structure not in score.overlaps:
        return np.nan
    part = score.overlaps[structure] if metric in ("dice", "iou") else score.surfaces[structure]
    found = getattr(part, metric)
    return np.nan if found is None else float(found)


def case_row(case: str, patient: str, score: CaseScore, structures: Sequence[str]) -> Row:
    """Return the row of a case; a score that it does not have is None."""
    row: dict[str, object] = {"id": case, "patient": patient}
    for metric in METRICS:
        for name in structures:
            value = value_of_case(score, metric, name)
            row[f"{metric}_{name}"] = None if np.isnan(value) else value
    for outcome in OUTCOMES:
        row[f"levels_{outcome}"] = None if score.levels is None else score.levels.count(outcome)
    apart = list(score.levels.distance_mm.values()) if score.levels else []
    row["level_distance_mm"] = float(np.mean(apart)) if apart else None
    return row


def count(score: CaseScore, outcome: str) -> int:
    """Return how many levels of a case ended so; 0 where levels were not matched."""
    return 0 if score.levels is None else score.levels.count(outcome)


def _level_figures(counts: NDArray[np.float64], sums: NDArray[np.float64]) -> dict[str, float]:
    (found, by_one, by_more, missed), (apart, pairs) = counts.sum(axis=0), sums.sum(axis=0)
    every = found + by_one + by_more + missed
    return {
        "level_found_share": _share(found, every),
        "level_wrong_by_one_share": _share(by_one, every),
        "level_wrong_by_more_share": _share(by_more, every),
        "level_missed_share": _share(missed, every),
        "level_distance_mm": _share(apart, pairs),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
