"""Agreement of grades by scikit-learn: accuracy, macro F1, quadratic weighted kappa, AUC; intervals by patient."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import Interval, bootstrap_by_patient
from runtime.errors import StudyError

_KEY = ["id", "level", "side", "condition"]


def quadratic_kappa(truth: NDArray[np.int64], predicted: NDArray[np.int64], *, steps: int) -> float:
    """Return Cohen's kappa with quadratic weights over steps 0 to steps - 1.

    Source: Cohen, Psychol Bull 1968;70:213-20; computed by scikit-learn.
    """
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(truth, predicted, labels=list(range(steps)), weights="quadratic"))


def area_under_curve(truth: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> float:
    """Return the ROC AUC, nan when only one class is present."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(truth)) < 2:
        return float("nan")
    return float(roc_auc_score(truth, scores))


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the unweighted mean of the classes' F1."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, predicted, average="macro", zero_division=0))


def interval_of(
    patients: Sequence[int | str], metric: Callable[[NDArray[np.intp]], float], *, resamples: int = 1000
) -> dict[str, Any]:
    """Return a metric with its interval as a JSON-ready dict."""
    interval: Interval = bootstrap_by_patient(patients, metric, resamples=resamples)
    return {"value": interval.value, "low": interval.low, "high": interval.high, "patients": interval.patients}


def evaluate_grading(predictions: Path, references: Path) -> dict[str, Any]:
    """Score a CSV of grades against another.

    Columns of both: ``id`` (patient or study), ``level``, ``side`` (may be empty), ``condition`` and ``grade`` (a
    step of the condition's usual scale). Rows are matched on the first four.

    Raises:
        StudyError: If columns are missing, keys repeat, a reference row has no prediction, or a grade is no step.
    """
    merged = _matched(predictions, references)
    result: dict[str, Any] = {"rows": len(merged), "patients": int(merged["id"].nunique()), "conditions": {}}
    for condition, group in merged.groupby("condition"):
        steps = _steps(str(condition))
        truth = _codes(group["grade_reference"].tolist(), steps, references)
        predicted = _codes(group["grade"].tolist(), steps, predictions)
        result["conditions"][str(condition)] = _agreement(group["id"].tolist(), truth, predicted, len(steps))
    return result


def _agreement(
    patients: list[str], truth: NDArray[np.int64], predicted: NDArray[np.int64], steps: int
) -> dict[str, Any]:
    from sklearn.metrics import accuracy_score

    return {
        "accuracy": interval_of(patients, lambda rows: float(accuracy_score(truth[rows], predicted[rows]))),
        "macro_f1": interval_of(patients, lambda rows: macro_f1(truth[rows], predicted[rows])),
        "quadratic_kappa": interval_of(
            patients, lambda rows: quadratic_kappa(truth[rows], predicted[rows], steps=steps)
        ),
    }


def _matched(predictions: Path, references: Path) -> Any:
    left, right = _read(predictions), _read(references)
    merged = right.merge(left, on=_KEY, how="left", suffixes=("_reference", ""), indicator=True)
    lost = merged[merged["_merge"] == "left_only"]
    if len(lost):
        row = lost.iloc[0]
        raise StudyError(
            f"{predictions.name}: {len(lost)} reference rows have no prediction, the first is "
            f"{row['id']}, {row['level']}, {row['condition']}"
        )
    return merged


def _read(file: Path) -> Any:
    import pandas as pd

    if not file.is_file():
        raise StudyError(f"{file.name}: expected a CSV file, found none")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    missing = [name for name in [*_KEY, "grade"] if name not in table.columns]
    if missing:
        raise StudyError(
            f"{file.name}: expected columns {', '.join([*_KEY, 'grade'])}; missing {', '.join(missing)}"
        )
    if table.duplicated(_KEY).any():
        raise StudyError(f"{file.name}: expected each id, level, side, condition once, found repeats")
    return table


def _steps(condition: str) -> tuple[str, ...]:
    from anatomy import CONDITIONS, SCALES, Condition

    try:
        info = CONDITIONS[Condition(condition)]
    except ValueError:
        raise StudyError(f"condition: expected one of {', '.join(Condition)}, got {condition!r}") from None
    if not info.scales:
        raise StudyError(f"condition {condition}: has no grading scale")
    return SCALES[info.scales[0]].grades


def _codes(grades: list[str], steps: tuple[str, ...], file: Path) -> NDArray[np.int64]:
    odd = sorted(set(grades) - set(steps))
    if odd:
        raise StudyError(f"{file.name}: expected grades {', '.join(steps)}, got {odd[0]!r}")
    return np.array([steps.index(grade) for grade in grades])
