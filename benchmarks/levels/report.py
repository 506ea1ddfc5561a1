"""Figures, calibration and failures of a set of scored levels."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise

import numpy as np

from benchmarks.levels.score import WITHIN, LevelScore
from evaluation.bootstrap import Interval, bootstrap_by_patient
from segmentation.training.naming_cases import LEVELS

WORDS = {
    "right": f"named right and within {WITHIN} pitch",
    "right_or_doubted": "right or openly doubted",
    "in_doubt": "in doubt (or not found, said so)",
    "wrong_without_doubt": "wrong without doubt",
    "median_error_of_right": "median distance of right ones, pitches",
    "patients_all_right": "patients with all five right",
}
_EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0001)


def summarise(scores: Sequence[LevelScore]) -> dict[str, object]:
    """Return figures with intervals, the calibration and the list of failures."""
    patients = [score.patient for score in scores]
    right = np.array([score.is_right for score in scores], dtype=float)
    doubt = np.array([score.doubt is not None for score in scores], dtype=float)
    errors = np.array([np.nan if score.error is None else score.error for score in scores])
    silent = (1 - right) * (1 - doubt)

    def interval(statistic: Callable[[np.ndarray], float]) -> dict[str, float]:
        return asdict(bootstrap_by_patient(patients, statistic))

    figures = {
        "right": interval(lambda rows: float(right[rows].mean())),
        "right_or_doubted": interval(lambda rows: float(1 - silent[rows].mean())),
        "in_doubt": interval(lambda rows: float(doubt[rows].mean())),
        "wrong_without_doubt": interval(lambda rows: float(silent[rows].mean())),
        "median_error_of_right": interval(lambda rows: float(np.median(errors[rows][right[rows] == 1]))),
        "patients_all_right": interval(
            lambda rows: float(right[rows].reshape(-1, len(LEVELS)).all(axis=1).mean())
        ),
    }
    return {
        "levels": len(scores),
        "patients": len(set(patients)),
        "figures": figures,
        "by_level": _shares(scores, lambda score: score.level),
        "by_fold": _shares(scores, lambda score: str(score.fold)),
        "calibration": calibration(scores),
        "doubts": doubts_by_reason(scores),
        "failures": [asdict(score) for score in scores if not score.is_right],
    }


def calibration(scores: Sequence[LevelScore]) -> list[dict[str, float]]:
    """Return, for bins of confidence, how many levels and how many of them were right."""
    table = []
    for low, high in pairwise(_EDGES):
        inside = [score for score in scores if low <= score.confidence < high and score.error is not None]
        if inside:
            table.append(
                {
                    "from": low,
                    "to": min(high, 1.0),
                    "levels": len(inside),
                    "mean_confidence": float(np.mean([score.confidence for score in inside])),
                    "right": float(np.mean([score.is_right for score in inside])),
                }
            )
    return table


def calibration_error(table: Sequence[dict[str, float]]) -> float:
    """Return the mean distance of confidence and share of right ones, weighted by the bins' levels."""
    total = sum(row["levels"] for row in table)
    return sum(row["levels"] * abs(row["mean_confidence"] - row["right"]) for row in table) / total


def doubts_by_reason(scores: Sequence[LevelScore]) -> dict[str, dict[str, int]]:
    """Return, for each reason of doubt (names left out), how many levels were right and how many wrong."""
    right, wrong = Counter[str](), Counter[str]()
    for score in scores:
        for part in (score.doubt or "").split("; "):
            if part:
                (right if score.is_right else wrong)[re.sub(r"[TL]\d+-[LS]?T?\d+", "X", part)] += 1
    return {reason: {"right": right[reason], "wrong": wrong[reason]} for reason in sorted({*right, *wrong})}


def to_markdown(reports: dict[str, dict[str, object]]) -> str:
    """Return the figures of several readers of the same slices as one Markdown table."""
    first = next(iter(reports.values()))
    lines = [
        f"{first['levels']} levels of {first['patients']} patients, held out; 95 % intervals over patients",
        "",
        f"| figure | {' | '.join(reports)} |",
        "|---|" + "---|" * len(reports),
    ]
    for key, words in WORDS.items():
        cells = [str(_figures(report)[key]) for report in reports.values()]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def details(report: dict[str, object]) -> str:
    """Return what stands behind one reader's figures."""
    table = report["calibration"]
    assert isinstance(table, list)
    lines = [f"by level: {report['by_level']}", f"by fold: {report['by_fold']}", ""]
    lines += ["| confidence | levels | mean | right |", "|---|---|---|---|"]
    for row in table:
        span = f"{row['from']:.2f} to {row['to']:.2f}"
        lines.append(f"| {span} | {row['levels']} | {row['mean_confidence']:.3f} | {row['right']:.3f} |")
    lines += [f"expected calibration error {calibration_error(table):.3f}", "", f"doubts: {report['doubts']}"]
    return "\n".join(lines)


def _figures(report: dict[str, object]) -> dict[str, Interval]:
    figures = report["figures"]
    assert isinstance(figures, dict)
    return {
        key: Interval(value["value"], value["low"], value["high"], int(value["patients"]))
        for key, value in figures.items()
    }


def _shares(scores: Sequence[LevelScore], group: Callable[[LevelScore], str]) -> dict[str, float]:
    names = sorted({group(score) for score in scores})
    return {
        name: round(float(np.mean([score.is_right for score in scores if group(score) == name])), 3)
        for name in names
    }
