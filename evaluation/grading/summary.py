"""Tables of the grading task: by condition, by level, by step; confusion, reliability and coverage."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from anatomy import DISC_LEVELS, SCALES, SIJ
from evaluation.bootstrap import Interval
from evaluation.grading.agreement import accuracy, confusion_matrix, macro_f1_of, quadratic_kappa_of
from evaluation.grading.auc import area_under_curve
from evaluation.grading.matched import NOT_GRADED, GradedPlaces
from evaluation.grading.sums import BINS, stated_of
from evaluation.result import Figure, Row, value_of
from evaluation.scoring import Rows

METRICS = ("accuracy", "macro_f1", "quadratic_kappa", "auc", "ece", "coverage", "set_size", "graded_share")
_LEVELS = (*DISC_LEVELS, SIJ, "")


def by_condition(sets: Sequence[GradedPlaces], figures: Mapping[str, Figure]) -> list[Row]:
    """Return a row a condition: its figures with intervals."""
    rows: list[Row] = []
    for item in sets:
        row: dict[str, object] = {"condition": item.name, "places": len(item.truth)}
        for metric in METRICS:
            figure = figures.get(f"{metric}_{item.name}")
            row[metric] = value_of(figure)
            row[f"{metric}_low"] = figure.low if isinstance(figure, Interval) else None
            row[f"{metric}_high"] = figure.high if isinstance(figure, Interval) else None
        rows.append(row)
    return rows


def by_level(sets: Sequence[GradedPlaces]) -> list[Row]:
    """Return a row a condition and level: agreement there, without intervals."""
    return [
        {"condition": item.name, "level": level or "whole study", "places": len(rows), **_agreement(item, rows)}
        for item in sets
        for level in _LEVELS
        if len(rows := level_rows(item, level))
    ]


def level_rows(item: GradedPlaces, level: str) -> Rows:
    """Return the rows of a level."""
    return np.flatnonzero([place.level == level for place in item.places])


def levels_of(sets: Iterable[GradedPlaces]) -> list[str]:
    """Return the levels that occur, cranial to caudal, the whole study (an empty name) last."""
    seen = {place.level for item in sets for place in item.places}
    return [level for level in _LEVELS if level in seen] + sorted(seen - set(_LEVELS))


def confusion(sets: Sequence[GradedPlaces]) -> list[Row]:
    """Return a row a condition, true step and named step: how many places; ``not graded`` is a named step."""
    rows: list[Row] = []
    for item in sets:
        named = np.where(item.named == NOT_GRADED, len(item.steps), item.named)
        matrix = confusion_matrix(item.truth, named, steps=len(item.steps) + 1)
        words = (*item.steps, "not graded")
        rows += [
            {"condition": item.name, "truth": true, "named": words[column], "places": int(matrix[row, column])}
            for row, true in enumerate(item.steps)
            for column in range(len(words))
            if column < len(item.steps) or matrix[:, column].any()
        ]
    return rows


def reliability(sets: Sequence[GradedPlaces]) -> list[Row]:
    """Return a row a condition and bin of stated probability: what was stated, and what came true."""
    rows: list[Row] = []
    pairs = {item.name: stated_of(item)[1:] for item in sets}
    pairs = {name: pair for name, pair in pairs.items() if len(pair[0])}
    if pairs:
        pairs["all conditions"] = (
            np.concatenate([stated for stated, _ in pairs.values()]),
            np.concatenate([hits for _, hits in pairs.values()]),
        )
    for name, (stated, hits) in pairs.items():
        index = np.minimum((stated * BINS).astype(int), BINS - 1)
        for number in np.unique(index).tolist():
            inside = index == number
            rows.append(
                {
                    "condition": name,
                    "from": number / BINS,
                    "to": (number + 1) / BINS,
                    "places": int(inside.sum()),
                    "stated": float(stated[inside].mean()),
                    "true_share": float(hits[inside].mean()),
                }
            )
    return rows


def coverage(sets: Sequence[GradedPlaces]) -> list[Row]:
    """Return a row a condition and true step: coverage with its exact binomial interval, and the set size.

    Source: Clopper and Pearson, Biometrika 1934;26:404-13. It takes places as independent, which those of one
    patient are not: read it as a lower bound on the width.
    """
    from scipy.stats import binomtest

    rows: list[Row] = []
    for item in sets:
        for step, grade in enumerate(item.steps):
            places = np.flatnonzero((item.truth == step) & item.has_set)
            if not len(places):
                continue
            hits = int(item.sets[places, step].sum())
            interval = binomtest(hits, len(places)).proportion_ci(method="exact")
            rows.append(
                {
                    "condition": item.name,
                    "truth": grade,
                    "places": len(places),
                    "covered": hits,
                    "coverage": hits / len(places),
                    "low": float(interval.low),
                    "high": float(interval.high),
                    "set_size": float(item.sets[places].sum(axis=1).mean()),
                }
            )
    return rows


def auc_by_step(sets: Sequence[GradedPlaces]) -> list[Row]:
    """Return a row a condition and step: the AUC of its probability against the rest."""
    rows: list[Row] = []
    for item in sets:
        known = np.flatnonzero(~np.isnan(item.probabilities[:, 0]))
        for step, grade in enumerate(item.steps) if len(known) else ():
            is_step = (item.truth[known] == step).astype(np.int64)
            value = area_under_curve(is_step, item.probabilities[known, step])
            rows.append(
                {
                    "condition": item.name,
                    "step": grade,
                    "places": int(is_step.sum()),
                    "others": int(len(known) - is_step.sum()),
                    "auc": None if np.isnan(value) else value,
                }
            )
    return rows


def _agreement(item: GradedPlaces, rows: Rows) -> dict[str, float | None]:
    graded = rows[item.named[rows] != NOT_GRADED]
    matrix = confusion_matrix(item.truth[graded], item.named[graded], steps=len(item.steps))
    found = {"accuracy": accuracy(matrix), "macro_f1": macro_f1_of(matrix)}
    found["quadratic_kappa"] = quadratic_kappa_of(matrix) if SCALES[item.scale].is_ordinal else np.nan
    return {name: None if np.isnan(value) else value for name, value in found.items()}
