"""Overlap of masks: Dice and IoU by structure, pooled over all slices of a patient or file.

Structures are told from the label numbers of ``anatomy/codes.csv``: any vertebra (1 to 24), any disc (200 to 223),
the canal (100), and so on, so that a wrong level name is not counted as a wrong shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import bootstrap_by_patient
from runtime.errors import StudyError

Mask = NDArray[np.bool_]

STRUCTURE_LABELS: dict[str, Callable[[NDArray[np.integer[Any]]], Mask]] = {
    "vertebra": lambda labels: (labels >= 1) & (labels <= 24),
    "disc": lambda labels: (labels >= 200) & (labels <= 223),
    "spinal_canal": lambda labels: (labels == 100) | (labels == 101),
    "sacrum": lambda labels: labels == 50,
}


@dataclass(frozen=True)
class Overlap:
    """Dice and IoU of one structure; None when it is in neither mask."""

    dice: float | None
    iou: float | None


def overlap(predicted: Mask, reference: Mask) -> Overlap:
    """Score two masks of the same shape.

    Dice = 2 |A and B| / (|A| + |B|); IoU = |A and B| / |A or B|.

    Raises:
        ValueError: If the shapes differ.
    """
    if predicted.shape != reference.shape:
        raise ValueError(f"masks: expected shape {reference.shape}, got {predicted.shape}")
    both = int(np.count_nonzero(predicted & reference))
    total = int(np.count_nonzero(predicted)) + int(np.count_nonzero(reference))
    if total == 0:
        return Overlap(None, None)
    return Overlap(2 * both / total, both / (total - both))


def evaluate_segmentation(predictions: Path, references: Path) -> dict[str, Any]:
    """Score a folder of label maps against another, matched by file name (.nii, .nii.gz or .png).

    Returns:
        ``{"files": n, "dice": {structure: {...interval}}, "iou": {...}, "per_file": [...]}``

    Raises:
        StudyError: If a reference has no prediction, or shapes differ.
    """
    rows = []
    for reference in _label_files(references):
        predicted = predictions / reference.name
        if not predicted.is_file():
            raise StudyError(f"{predictions.name}: expected a label map {reference.name}, found none")
        rows.append({"file": reference.name, **_score_pair(predicted, reference)})
    if not rows:
        raise StudyError(f"{references.name}: expected label maps (.nii, .nii.gz, .png), found none")
    return {
        "files": len(rows),
        "dice": _summary(rows, "dice"),
        "iou": _summary(rows, "iou"),
        "per_file": rows,
    }


def _label_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise StudyError(f"{folder.name}: expected a folder of label maps, found none")
    return sorted(file for file in folder.iterdir() if file.name.endswith((".nii", ".nii.gz", ".png")))


def read_labels(file: Path) -> NDArray[np.integer[Any]]:
    """Read a label map as an integer array in the file's own axis order."""
    if file.suffix == ".png":
        from PIL import Image

        with Image.open(file) as picture:
            return np.asarray(picture).astype(np.int64)
    import nibabel

    return np.asarray(nibabel.Nifti1Image.from_filename(file).dataobj).round().astype(np.int64)


def _score_pair(predicted: Path, reference: Path) -> dict[str, Any]:
    left, right = read_labels(predicted), read_labels(reference)
    if left.shape != right.shape:
        raise StudyError(f"{reference.name}: expected shape {right.shape} as the reference, got {left.shape}")
    scores = {name: overlap(select(left), select(right)) for name, select in STRUCTURE_LABELS.items()}
    return {
        "dice": {name: score.dice for name, score in scores.items()},
        "iou": {name: score.iou for name, score in scores.items()},
    }


def _summary(rows: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name in STRUCTURE_LABELS:
        files = [row["file"] for row in rows if row[metric][name] is not None]
        if files:
            scores = np.array([row[metric][name] for row in rows if row[metric][name] is not None])
            summary[name] = _interval(files, scores)
    return summary


def _interval(files: list[str], scores: NDArray[np.float64]) -> dict[str, Any]:
    interval = bootstrap_by_patient(files, lambda rows: float(scores[rows].mean()))
    return {"value": interval.value, "low": interval.low, "high": interval.high, "n": len(files)}
