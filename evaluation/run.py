"""One door to all scores: ``evaluate(task, predictions, references)``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation
from evaluation.sources import TASKS, find_source, say_missing
from runtime.errors import ConfigError, StudyError

ALL = "all"
Task = Callable[[Path, Path, EvaluationOptions], Evaluation]


@dataclass(frozen=True)
class EvaluationRun:
    """What one command scored.

    Attributes:
        task: As asked for: one task, or ``all``.
        evaluations: One a task that ran.
        notices: Tasks that were skipped, with the reason, and what was not looked for in the splits.
        failures: Tasks whose input was bad, with the error, and leakage between splits.
    """

    task: str
    evaluations: tuple[Evaluation, ...]
    notices: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def all_failures(self) -> tuple[str, ...]:
        """Return the failures of the run and of its tasks."""
        return (*self.failures, *(failure for item in self.evaluations for failure in item.failures))


def evaluate(
    task: str, predictions: Path, references: Path, options: EvaluationOptions | None = None
) -> EvaluationRun:
    """Score predictions against references.

    Args:
        task: ``report`` (CSV or JSONL of texts, a folder of texts or of readings), ``segmentation`` (folders of
            label maps or of readings), ``grading`` (CSV or readings), ``detection`` (CSV, JSONL or readings), or
            ``all`` (folders, see ``evaluation.sources``).
        predictions: What is scored.
        references: What it is scored against.
        options: Of the run.

    Raises:
        ConfigError: If there is no such task.
        StudyError: If the files do not fit each other; with ``all``, only if no task could run.
    """
    chosen = options or EvaluationOptions()
    if task not in (*TASKS, ALL):
        raise ConfigError(f"task: expected one of {', '.join((*TASKS, ALL))}, got {task!r}")
    notices, failures = _leakage(chosen)
    if task == ALL:
        done = _evaluate_all(predictions, references, chosen)
    else:
        done = EvaluationRun(task, (_open(task)(predictions, references, chosen),))
    return replace(done, notices=(*notices, *done.notices), failures=(*failures, *done.failures))


def _leakage(options: EvaluationOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return notices and failures of the table of splits; nothing without one."""
    if options.splits is None:
        return (), ()
    from evaluation.honesty import check_splits, find_images, read_splits

    rows = read_splits(options.splits)
    images = None if options.images is None else find_images(options.images, [row.id for row in rows])
    found = check_splits(rows, images=images)
    return found.notices, found.failures


def _evaluate_all(predictions: Path, references: Path, options: EvaluationOptions) -> EvaluationRun:
    done, notices, failures = [], [], []
    for task in TASKS:
        told, truth = find_source(predictions, task), find_source(references, task)
        missing = say_missing(task, told, truth)
        if missing is not None or told is None or truth is None:
            notices.append(missing or task)
            continue
        try:
            done.append(_open(task)(told, truth, options))
        except StudyError as error:
            failures.append(f"{task}: {error}")
    if not done:
        raise StudyError(f"{predictions.name}: nothing could be scored: {'; '.join((*failures, *notices))}")
    return EvaluationRun(ALL, tuple(done), tuple(notices), tuple(failures))


def _open(task: str) -> Task:
    if task == "report":
        from evaluation.tasks.report import evaluate_report

        return evaluate_report
    if task == "segmentation":
        from evaluation.tasks.segmentation import evaluate_segmentation

        return evaluate_segmentation
    if task == "grading":
        from evaluation.tasks.grading import evaluate_grading

        return evaluate_grading
    from evaluation.tasks.detection import evaluate_detection

    return evaluate_detection
