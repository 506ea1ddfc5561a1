"""Records of the grading room: grades with probabilities and sets, and the Findings graph. No torch here.

Findings is the only source of facts for everything after it: reports, exports, chat.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from anatomy import CONDITIONS, Condition, Side
from segmentation.types import Level, Measurement


class GradeStatus(StrEnum):
    """Whether a grade could be given."""

    GRADED = "graded"
    NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True)
class Evidence:
    """Where to look.

    Attributes:
        series_id: Series.
        slice_index: Slice k.
        box_px: (x0, y0, x1, y1) in pixels of the original slice.
    """

    series_id: str
    slice_index: int
    box_px: tuple[float, float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the ``evidence`` block of a grade."""
        return {"series": self.series_id, "slice": self.slice_index, "box_px": list(self.box_px)}


@dataclass(frozen=True)
class Grade:
    """One graded condition at one place.

    Attributes:
        id: Unique in a reading, such as ``g12``.
        level: Disc level or ``SIJ``; None for the whole study.
        side: Patient's side for sided conditions, else None.
        condition: Which.
        scale: Name in ``anatomy.SCALES``.
        grade: Step of the scale; None when not assessable.
        probabilities: Step -> calibrated probability; empty when the grade is a rule's or not assessable.
        prediction_set: Steps that cannot be excluded, in the scale's order; holds ``grade``.
        status: Graded or not assessable.
        reason: Why not assessable, or which rule decided; None otherwise.
        evidence: Where to look; None when not assessable.
        measurement_ids: Measurements the grade rests on.
    """

    id: str
    level: str | None
    side: Side | None
    condition: Condition
    scale: str
    grade: str | None
    probabilities: dict[str, float]
    prediction_set: tuple[str, ...]
    status: GradeStatus
    reason: str | None
    evidence: Evidence | None
    measurement_ids: tuple[str, ...] = ()

    @property
    def is_check(self) -> bool:
        """Return whether it is a second way of grading, shown beside the first and not reported on its own."""
        return self.scale in CONDITIONS[self.condition].checks

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``grades`` of reading.json."""
        return {
            "id": self.id,
            "level": self.level,
            "side": None if self.side is None else self.side.value,
            "condition": self.condition.value,
            "scale": self.scale,
            "grade": self.grade,
            "probabilities": self.probabilities,
            "prediction_set": list(self.prediction_set),
            "status": self.status.value,
            "reason": self.reason,
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
            "measurements": list(self.measurement_ids),
        }


@dataclass(frozen=True)
class BurdenTerm:
    """One grade's share of the burden score."""

    grade_id: str
    points: float


@dataclass(frozen=True)
class Burden:
    """Clinically Significant Degeneration Score of the patient.

    Attributes:
        score: 0 to 100; None when nothing was graded.
        category: ``none``, ``mild``, ``moderate``, ``marked``; None with no score.
        terms: What each grade adds; the points sum to the score.
        formula: Version of the formula.
        interval: 95 % interval of the score of the places that were graded, from the grades' probabilities; None
            when no grade has any (rules only) or nothing was graded.
        expected: Mean of the score under the same probabilities; None when there is no interval.
        upper_bound: Score if every place that was asked for and not graded were at its worst; None with no score.
        completeness: Share of the places the protocol asks for that were graded, 0 to 1; None when not known.
            Below 1 the score is a lower bound.
    """

    score: float | None
    category: str | None
    terms: tuple[BurdenTerm, ...]
    formula: str
    interval: tuple[float, float] | None = None
    expected: float | None = None
    upper_bound: float | None = None
    completeness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the ``burden`` block of reading.json."""
        return {
            "score": self.score,
            "category": self.category,
            "terms": [{"grade": term.grade_id, "points": term.points} for term in self.terms],
            "formula": self.formula,
            "interval": None if self.interval is None else list(self.interval),
            "expected": self.expected,
            "upper_bound": self.upper_bound,
            "completeness": self.completeness,
        }


@dataclass(frozen=True)
class Detection:
    """A box found by a detector."""

    label: str
    box_px: tuple[float, float, float, float]
    series_id: str
    slice_index: int
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``detections`` of reading.json."""
        return {
            "label": self.label,
            "box_px": list(self.box_px),
            "series": self.series_id,
            "slice": self.slice_index,
            "score": self.score,
        }


@dataclass(frozen=True)
class Findings:
    """The findings graph of one study.

    Attributes:
        study_key: Study it belongs to.
        protocol: Protocol name.
        sequences: Roles of the series that were read, such as ``sagittal_t2``.
        levels: Named levels.
        measurements: Measurements, by id.
        grades: Grades, by id, ordered by level (cranial to caudal), then by the protocol's conditions.
        burden: Patient-level score.
        detections: Boxes.
        notices: Doubts and limits that a report must state.
    """

    study_key: str
    protocol: str
    sequences: tuple[str, ...]
    levels: tuple[Level, ...]
    measurements: tuple[Measurement, ...]
    grades: tuple[Grade, ...]
    burden: Burden
    detections: tuple[Detection, ...] = ()
    notices: tuple[str, ...] = field(default=())

    @property
    def reported(self) -> tuple[Grade, ...]:
        """Return the grades that a report states: all but the checks."""
        return tuple(grade for grade in self.grades if not grade.is_check)

    def grades_at(self, level: str | None) -> tuple[Grade, ...]:
        """Return the reported grades of one level."""
        return tuple(grade for grade in self.reported if grade.level == level)

    def grade(self, grade_id: str) -> Grade | None:
        """Return a grade by id, or None."""
        return next((grade for grade in self.grades if grade.id == grade_id), None)

    def measurement(self, measurement_id: str) -> Measurement | None:
        """Return a measurement by id, or None."""
        return next((item for item in self.measurements if item.id == measurement_id), None)
