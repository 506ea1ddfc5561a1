"""Patient-level labels from true grades (``patients.yaml``), and how well a score tells them apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml

from anatomy import CONDITIONS, SCALES, Condition
from evaluation.bootstrap import Interval, bootstrap_by_patient
from evaluation.grading import area_under_curve
from runtime.errors import ConfigError


class GradedPlace(Protocol):
    """What a label asks of a grade; ``grading.Grade`` and the phantoms' ``TruthGrade`` both have it."""

    @property
    def condition(self) -> Condition:
        """Return which condition."""

    @property
    def scale(self) -> str:
        """Return the name in ``anatomy.SCALES``."""

    @property
    def grade(self) -> str | None:
        """Return the step, None when not known."""


@dataclass(frozen=True)
class LabelRule:
    """One way to be positive.

    Attributes:
        condition: Which; None for any.
        scale: Name in ``anatomy.SCALES``.
        grades: Steps that make a patient positive.
    """

    condition: Condition | None
    scale: str
    grades: tuple[str, ...]

    def reads(self, place: GradedPlace) -> bool:
        """Return whether a place is of this condition and scale, and known."""
        is_same = self.condition is None or place.condition is self.condition
        return is_same and place.scale == self.scale and place.grade is not None


@dataclass(frozen=True)
class PatientAuc:
    """How well a score separates patients.

    Attributes:
        auc: With its 95 % bootstrap interval over patients; None when one class is absent.
        positives: Patients with a positive label.
        negatives: Patients with a negative label.
        left_out: Patients without a label or without a score.
    """

    auc: Interval | None
    positives: int
    negatives: int
    left_out: int


@cache
def load_labels() -> Mapping[str, tuple[LabelRule, ...]]:
    """Read the table: name of the label -> its rules.

    Raises:
        ConfigError: If a condition, scale or step is unknown.
    """
    table = yaml.safe_load((Path(__file__).parent / "patients.yaml").read_text(encoding="utf-8"))
    return {name: tuple(_rule(row) for row in rows) for name, rows in table.items() if name != "id"}


def _rule(row: Mapping[str, Any]) -> LabelRule:
    condition = None if row["condition"] == "any" else Condition(row["condition"])
    scale, grades = row["scale"], tuple(row["grades"])
    is_graded_so = condition is None or scale in CONDITIONS[condition].scales
    if scale not in SCALES or not is_graded_so or not set(grades) <= set(SCALES[scale].grades):
        raise ConfigError(f"patients.yaml: expected a known condition, scale and steps, got {dict(row)!r}")
    return LabelRule(condition, scale, grades)


def patient_label(grades: Iterable[GradedPlace], name: str) -> bool | None:
    """Label a patient by true grades.

    Args:
        grades: True grades of every place that was graded; places without one may be missing.
        name: ``phantom`` or ``spider``.

    Returns:
        True when one place is at a listed step; False when none is, of those known; None when no place is graded
        on any of the label's scales.

    Raises:
        ValueError: If there is no such label.
    """
    if name not in load_labels():
        raise ValueError(f"label: expected one of {', '.join(load_labels())}, got {name!r}")
    read = [(rule, place) for place in grades for rule in load_labels()[name] if rule.reads(place)]
    return any(place.grade in rule.grades for rule, place in read) if read else None


def patient_auc(
    labels: Mapping[str, bool | None], scores: Mapping[str, float | None], *, resamples: int = 1000
) -> PatientAuc:
    """Return the ROC AUC of a score, patients with an unknown label or no score left out and counted.

    Args:
        labels: Patient -> label.
        scores: Patient -> score; a patient may be missing.
        resamples: Of the bootstrap over patients; resamples with one class only are dropped.
    """
    known: Sequence[str] = [
        patient for patient, label in labels.items() if label is not None and scores.get(patient) is not None
    ]
    truth = np.array([bool(labels[patient]) for patient in known], dtype=np.int64)
    values = np.array([scores[patient] for patient in known], dtype=np.float64)
    positives = int(truth.sum())
    auc = None
    if 0 < positives < len(known):
        auc = bootstrap_by_patient(
            known, lambda rows: area_under_curve(truth[rows], values[rows]), resamples=resamples
        )
    return PatientAuc(auc, positives, len(known) - positives, len(labels) - len(known))
