"""Rows to figures: means with intervals, paired differences, Markdown and JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation.scoring import Row
from evaluation.bootstrap import Interval, bootstrap_by_patient

_LOW_IS_GOOD = ("HD95", "missed", "distance")


@dataclass(frozen=True)
class Difference:
    """One network against another on the patients both were scored on.

    Attributes:
        first: Mean of the first.
        second: Mean of the second.
        interval: Of the mean difference, first less second.
    """

    first: float
    second: float
    interval: Interval


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, object]]:
    """Return each task's figure, interval and worst patient; a task with no finite value is left out."""
    tasks: dict[str, dict[str, object]] = {}
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task and np.isfinite(row.value)]
        if not own:
            continue
        values = np.array([row.value for row in own])
        interval = bootstrap_by_patient([row.patient for row in own], _mean_of(values))
        worst = max(own, key=lambda row: row.value if is_low_good(row.task) else -row.value)
        tasks[task] = {"interval": interval, "worst_patient": worst.patient, "worst": worst.value}
    return tasks


def compare(first: Sequence[Row], second: Sequence[Row]) -> dict[str, Difference]:
    """Return the paired differences of all tasks both were scored on.

    A patient scored several times (seeds) enters with the mean of the finite scores; patients are what is drawn.
    """
    found: dict[str, Difference] = {}
    for task in dict.fromkeys(row.task for row in first):
        one, other = patient_means(first, task), patient_means(second, task)
        patients = sorted(set(one) & set(other))
        if patients:
            a, b = (np.array([means[patient] for patient in patients]) for means in (one, other))
            interval = bootstrap_by_patient(patients, _mean_of(a - b))
            found[task] = Difference(float(a.mean()), float(b.mean()), interval)
    return found


def patient_means(rows: Sequence[Row], task: str) -> dict[int, float]:
    """Return patient -> mean of the finite values of a task."""
    values: dict[int, list[float]] = {}
    for row in rows:
        if row.task == task and np.isfinite(row.value):
            values.setdefault(row.patient, []).append(row.value)
    return {patient: float(np.mean(own)) for patient, own in values.items()}


def is_low_good(task: str) -> bool:
    """Return whether a smaller figure is the better one."""
    return any(word in task for word in _LOW_IS_GOOD)


def figure_record(item: Mapping[str, object], interval: Interval) -> dict[str, object]:
    """Return a task's figure as it is kept in the JSON record."""
    return {
        **interval_record(interval),
        "worst_patient": item["worst_patient"],
        "worst": item["worst"],
    }


def interval_record(interval: Interval) -> dict[str, object]:
    """Return an interval as JSON types."""
    return {"value": interval.value, "low": interval.low, "high": interval.high, "patients": interval.patients}


def markdown_table(tasks: Mapping[str, Mapping[str, object]]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | value (95 % interval, patients) | worst patient |", "|---|---|---|"]
    for task, item in tasks.items():
        lines.append(f"| {task} | {item['interval']} | {item['worst']:.3f} (patient {item['worst_patient']}) |")
    return "\n".join(lines)


def comparison_table(differences: Mapping[str, Difference], first: str, second: str) -> str:
    """Return paired differences as a Markdown table; a difference whose interval leaves zero out is told."""
    lines = [
        f"| figure | {first} | {second} | {first} less {second} (95 % interval, patients) | better |",
        "|---|---|---|---|---|",
    ]
    for task, item in differences.items():
        interval = item.interval
        lines.append(
            f"| {task} | {item.first:.3f} | {item.second:.3f} | {interval.value:+.3f} ({interval.low:+.3f} to "
            f"{interval.high:+.3f}, n={interval.patients}) | {_better(task, interval, first, second)} |"
        )
    return "\n".join(lines)


def _better(task: str, interval: Interval, first: str, second: str) -> str:
    if interval.low <= 0 <= interval.high:
        return "not told apart"
    return first if (interval.value > 0) != is_low_good(task) else second


def write_record(file: Path, rows: Sequence[Row], **more: object) -> None:
    """Write figures, rows and whatever else belongs to them as JSON."""
    tasks = summarise(rows)
    record = {
        **more,
        "figures": {
            task: figure_record(item, interval)
            for task, item in tasks.items()
            if isinstance(interval := item["interval"], Interval)
        },
        "rows": [[row.task, row.patient, row.value] for row in rows],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a record."""
    return [Row(*row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def _mean_of(values: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], float]:
    return lambda chosen: float(values[chosen].mean())
