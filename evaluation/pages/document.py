"""metrics.json: figures under plain names, their intervals beside them, the tables, and how it all was made."""

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from evaluation.bootstrap import Interval
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation, value_of
from evaluation.run import ALL, EvaluationRun

SCHEMA = "spinescribe.metrics/1"
_TOOLS = (
    "spinescribe", "numpy", "scipy", "monai", "nibabel", "pycocotools", "pycocoevalcap", "matplotlib",
)  # fmt: skip
_OWN_KEYS = ("baselines", "subgroups")
"""Tables that stand under their own name; the others are in ``tables``."""


def metrics_of(run: EvaluationRun, options: EvaluationOptions, command: str) -> dict[str, Any]:
    """Return the content of metrics.json; with several tasks their figures stand side by side."""
    many = run.task == ALL
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "task": run.task,
        "tasks": {item.task: _size(item) for item in run.evaluations},
        "patients": len({row["patient"] for item in run.evaluations for row in item.per_case}),
    }
    for item in run.evaluations:
        document |= {name: value_of(figure) for name, figure in item.figures.items()}
    document["intervals"] = {
        name: {"low": figure.low, "high": figure.high, "patients": figure.patients}
        for item in run.evaluations
        for name, figure in item.figures.items()
        if isinstance(figure, Interval)
    }
    for name in _OWN_KEYS:
        document[name] = [_named(row, item, many) for item in run.evaluations for row in item.tables.get(name, ())]
    document["tables"] = {
        f"{item.task}_{name}" if many else name: list(rows)
        for item in run.evaluations
        for name, rows in item.tables.items()
        if name not in _OWN_KEYS
    }
    document["notices"] = [*run.notices, *(_labelled(run.evaluations, "notices", many))]
    document["failures"] = [*run.failures, *(_labelled(run.evaluations, "failures", many))]
    document["provenance"] = provenance_of(options, command)
    plain: dict[str, Any] = plain_data(document)
    return plain


def provenance_of(options: EvaluationOptions, command: str) -> dict[str, Any]:
    """Return the command, the options that shape figures, and the versions of the tools."""
    return {
        "command": command,
        "python": platform.python_version(),
        "tools": {name: _version(name) for name in _TOOLS},
        "resamples": options.resamples,
        "seed": options.seed,
        "interval": "percentile bootstrap over patients, 95 %",
        "surface_tolerance_mm": options.tolerance_mm,
        "level_distance_mm": options.level_distance_mm,
        "score_threshold": options.score_threshold,
    }


def plain_data(value: Any) -> Any:
    """Return JSON-ready data: numpy numbers become Python's, nan and infinity None, floats keep six decimals."""
    if isinstance(value, np.generic):
        return plain_data(value.item())
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain_data(item) for item in value]
    return value


def _size(item: Evaluation) -> dict[str, object]:
    return {"unit": item.unit, "cases": len(item.per_case), "patients": item.patients}


def _named(row: Mapping[str, object], item: Evaluation, many: bool) -> Mapping[str, object]:
    return {"task": item.task, **row} if many else row


def _labelled(items: Sequence[Evaluation], field: str, many: bool) -> list[str]:
    return [f"{item.task}: {text}" if many else text for item in items for text in getattr(item, field)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
