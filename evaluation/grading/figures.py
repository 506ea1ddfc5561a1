"""Figures of grades, on any choice of cases: each condition by name, and all together.

Over all conditions ``accuracy``, ``ece``, ``coverage`` and ``set_size`` pool every place; ``macro_f1``,
``quadratic_kappa`` and ``auc`` are plain means over the conditions that define them, whose scales differ.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from anatomy import SCALES
from evaluation.grading.agreement import accuracy, macro_f1_of, quadratic_kappa_of
from evaluation.grading.auc import RankedScores
from evaluation.grading.matched import GradedPlaces
from evaluation.grading.sums import CaseSums, rsna_sums, sum_cases
from evaluation.scoring import Rows

HEADLINE = ("accuracy", "macro_f1", "quadratic_kappa", "rsna_log_loss", "auc", "ece", "coverage", "set_size")
AGREEMENT = ("accuracy", "macro_f1", "quadratic_kappa")
_MEANS = ("macro_f1", "quadratic_kappa", "auc")
Figures = dict[str, float]


def figures_of(
    sets: Sequence[GradedPlaces], cases: int, *, only: Collection[str] | None = None
) -> Callable[[Rows], Figures]:
    """Return what gives the figures of any choice of cases.

    Args:
        sets: The graded places of each condition.
        cases: Number of cases.
        only: Metrics over all conditions that are wanted, of ``AGREEMENT``; None for all, each condition's too.
    """
    flat = [sum_cases(item, cases) for item in sets]
    every, edges = np.concatenate(flat, axis=1), np.cumsum([part.shape[1] for part in flat])[:-1]
    ranked = [_ranked(item) if only is None else [] for item in sets]
    rsna = rsna_sums(sets, cases) if only is None else {}

    def figures(rows: Rows) -> Figures:
        drawn = np.bincount(rows, minlength=cases)
        parts = np.split(drawn @ every, edges)
        taken = [CaseSums.of_flat(part, len(item.steps)) for item, part in zip(sets, parts, strict=True)]
        each = {
            item.name: _condition(item, part, [scores.area(drawn) for scores in steps])
            for item, part, steps in zip(sets, taken, ranked, strict=True)
        }
        overall = _overall(taken, each)
        if only is not None:
            return {name: overall[name] for name in only}
        for name, terms in rsna.items():
            loss, weight = drawn @ terms
            overall[name] = float(loss / weight) if weight else np.nan
        if rsna:
            overall["rsna_log_loss"] = _nanmean([overall[name] for name in rsna])
        named = {f"{metric}_{name}": value for name, found in each.items() for metric, value in found.items()}
        return {**{name: overall[name] for name in HEADLINE if name in overall}, **overall, **named}

    return figures


def _condition(item: GradedPlaces, sums: CaseSums, areas: list[float]) -> Figures:
    figures = {
        "accuracy": accuracy(sums.confusion),
        "macro_f1": macro_f1_of(sums.confusion),
        "auc": _nanmean(areas),
        "ece": sums.calibration_error,
        "coverage": _share(sums.covered, sums.with_set),
        "set_size": _share(sums.set_sizes, sums.with_set),
        "graded_share": _share(sums.confusion.sum(), sums.places),
    }
    if SCALES[item.scale].is_ordinal:
        figures["quadratic_kappa"] = quadratic_kappa_of(sums.confusion)
    return figures


def _overall(taken: Sequence[CaseSums], each: dict[str, Figures]) -> Figures:
    graded = sum(float(part.confusion.sum()) for part in taken)
    with_set = sum(part.with_set for part in taken)
    bins = np.sum([part.bins for part in taken], axis=0)
    overall = {
        "accuracy": _share(sum(float(np.trace(part.confusion)) for part in taken), graded),
        "ece": _share(np.abs(bins[:, 1] - bins[:, 2]).sum(), bins[:, 0].sum()),
        "coverage": _share(sum(part.covered for part in taken), with_set),
        "set_size": _share(sum(part.set_sizes for part in taken), with_set),
        "graded_share": _share(graded, sum(part.places for part in taken)),
    }
    for name in _MEANS:
        overall[name] = _nanmean([found[name] for found in each.values() if name in found])
    return overall


def _ranked(item: GradedPlaces) -> list[RankedScores]:
    """Return the second step's scores where there are two steps, else each step's against the rest."""
    known = np.flatnonzero(~np.isnan(item.probabilities[:, 0]))
    steps = (1,) if len(item.steps) == 2 else tuple(range(len(item.steps)))
    if not len(known):
        return []
    return [
        RankedScores(item.truth[known] == step, item.probabilities[known, step], item.cases[known])
        for step in steps
    ]


def _nanmean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(sum(known) / len(known)) if known else np.nan


def _share(part: float | np.floating | np.integer, whole: float | np.floating | np.integer) -> float:
    return float(part / whole) if whole else np.nan
