"""One door to all scores: ``evaluate(task, predictions, references)``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.errors import ConfigError


def evaluate(task: str, predictions: Path, references: Path) -> dict[str, Any]:
    """Score predictions against references.

    Args:
        task: ``segmentation`` (two folders of label maps), ``grading`` (two CSV files) or ``report`` (two sources
            of texts, see ``evaluation.text.files``).
        predictions: What is scored.
        references: What it is scored against.

    Raises:
        ConfigError: If there is no such task.
        StudyError: If the files do not fit each other.
    """
    tasks = _tasks()
    if task not in tasks:
        raise ConfigError(f"task: expected one of {', '.join(tasks)}, got {task!r}")
    return {"task": task, **tasks[task](predictions, references)}


def _tasks() -> dict[str, Callable[[Path, Path], dict[str, Any]]]:
    from evaluation.grading import evaluate_grading
    from evaluation.segmentation import evaluate_segmentation
    from evaluation.text.report import evaluate_report

    return {"segmentation": evaluate_segmentation, "grading": evaluate_grading, "report": evaluate_report}
