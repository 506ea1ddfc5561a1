"""Which part of a folder each task reads, for ``spinescribe evaluate all``.

A folder holds readings (``<case>/reading.json`` with its label map) or the files of another tool: ``reports.csv``,
``reports.jsonl`` or ``reports/*.txt``; ``label_maps/``; ``grades.csv``; ``boxes.csv`` or ``boxes.jsonl``.
"""

from pathlib import Path

from evaluation.inputs import READING, label_maps_of
from runtime.errors import StudyError

TASKS = ("report", "segmentation", "grading", "detection")
NAMES = {
    "report": ("reports.csv", "reports.jsonl", "reports"),
    "segmentation": ("label_maps",),
    "grading": ("grades.csv",),
    "detection": ("boxes.csv", "boxes.jsonl"),
}


def find_source(folder: Path, task: str) -> Path | None:
    """Return what a task reads in a folder; None when there is nothing for it.

    Raises:
        StudyError: If it is no folder, or holds two sources of one task.
    """
    if not folder.is_dir():
        raise StudyError(f"{folder.name}: expected a folder of readings or of files to score, found none")
    named = [folder / name for name in NAMES[task] if (folder / name).exists()]
    if len(named) > 1:
        raise StudyError(f"{folder.name}: expected one of {', '.join(NAMES[task])}, found {len(named)} of them")
    if named:
        return named[0]
    if any(folder.glob(f"*/{READING}")):
        return folder
    if task == "segmentation" and label_maps_of(folder):
        return folder
    if task == "report" and any(folder.glob("*.txt")):
        return folder
    return None


def say_missing(task: str, predictions: Path | None, references: Path | None) -> str | None:
    """Return why a task is skipped; None when both sides have it."""
    sides = [name for name, found in (("predictions", predictions), ("references", references)) if found is None]
    if not sides:
        return None
    return f"{task}: skipped, no readings and no {' or '.join(NAMES[task])} in the {' and '.join(sides)}"
