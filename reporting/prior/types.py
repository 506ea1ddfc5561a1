"""Records of a comparison with an earlier reading: one row per condition or quantity at one place."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anatomy import Condition, Side
from grading.types import Findings, Grade, GradeStatus
from segmentation.types import Measurement


class Change(StrEnum):
    """How a finding stands to the earlier reading.

    Grades are ``new`` to ``resolved`` or ``not_comparable``; values are ``increased``, ``decreased``,
    ``within_error`` or ``not_comparable``.
    """

    NEW = "new"
    WORSE = "worse"
    UNCHANGED = "unchanged"
    BETTER = "better"
    RESOLVED = "resolved"
    NOT_COMPARABLE = "not_comparable"
    INCREASED = "increased"
    DECREASED = "decreased"
    WITHIN_ERROR = "within_error"


@dataclass(frozen=True)
class GradeChange:
    """One condition at one place, before and now.

    Attributes:
        before: Grade of the earlier reading; None when it has none for this place.
        now: Grade of this reading; None when it has none for this place.
        change: ``new``: only normal steps were open, now only abnormal ones are; ``resolved``: the reverse;
            ``worse`` and ``better``: no open step in common and a later or earlier part of the scale;
            ``unchanged``: the same steps are open and the same one is named; else ``not_comparable``.
        reason: Why not comparable; None otherwise.
    """

    before: Grade | None
    now: Grade | None
    change: Change
    reason: str | None = None

    @property
    def known(self) -> Grade:
        """Return the grade of this reading, else the earlier one: both name the same place."""
        grade = self.now or self.before
        assert grade is not None, "a row without any grade is never made"
        return grade

    @property
    def level(self) -> str | None:
        """Return the level; None for the whole study."""
        return self.known.level

    @property
    def side(self) -> Side | None:
        """Return the patient's side."""
        return self.known.side

    @property
    def condition(self) -> Condition:
        """Return the condition."""
        return self.known.condition

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``comparison.grades`` of reading.json."""
        return {
            "level": self.level,
            "side": None if self.side is None else self.side.value,
            "condition": self.condition.value,
            "scale": self.known.scale,
            "before": _grade_state(self.before),
            "now": _grade_state(self.now),
            "change": self.change.value,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ValueChange:
    """One quantity at one place, before and now.

    Attributes:
        before: Measurement of the earlier reading; None when it has none.
        now: Measurement of this reading; None when it has none.
        difference: Now less before, in the unit of the quantity; None where one has no value.
        limit: Smallest difference that is beyond the measurement error; None where no error is stated.
        change: ``increased`` or ``decreased`` beyond the limit, ``within_error`` up to it, else
            ``not_comparable``.
        reason: Why not comparable; None otherwise.
    """

    before: Measurement | None
    now: Measurement | None
    difference: float | None
    limit: float | None
    change: Change
    reason: str | None = None

    @property
    def known(self) -> Measurement:
        """Return the measurement of this reading, else the earlier one."""
        item = self.now or self.before
        assert item is not None, "a row without any measurement is never made"
        return item

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``comparison.measurements`` of reading.json."""
        item = self.known
        return {
            "level": item.level,
            "side": None if item.side is None else item.side.value,
            "name": item.name,
            "unit": item.unit,
            "before": _value_state(self.before),
            "now": _value_state(self.now),
            "difference": self.difference,
            "limit": self.limit,
            "change": self.change.value,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Comparison:
    """The change table of a study against one earlier reading.

    Attributes:
        rules: Version of the rules and limits (``templates/comparison.yaml``).
        prior: Findings of the earlier reading, without its free text.
        grades: Rows of grades, cranial to caudal, in the order of this reading.
        values: Rows of measurements, the same order.
        notices: What a reader must know of the comparison as a whole.
    """

    rules: str
    prior: Findings
    grades: tuple[GradeChange, ...]
    values: tuple[ValueChange, ...]
    notices: tuple[str, ...] = ()

    def grade(self, grade_id: str) -> GradeChange | None:
        """Return the row of a grade of this reading, or None."""
        return next((row for row in self.grades if row.now is not None and row.now.id == grade_id), None)

    def value(self, measurement_id: str) -> ValueChange | None:
        """Return the row of a measurement of this reading, or None."""
        return next((row for row in self.values if row.now is not None and row.now.id == measurement_id), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the ``comparison`` block of reading.json."""
        return {
            "rules": self.rules,
            "grades": [row.to_dict() for row in self.grades],
            "measurements": [row.to_dict() for row in self.values],
            "notices": list(self.notices),
        }


def _grade_state(grade: Grade | None) -> dict[str, Any] | None:
    if grade is None:
        return None
    is_graded = grade.status is GradeStatus.GRADED
    return {
        "id": grade.id,
        "status": grade.status.value,
        "grade": grade.grade if is_graded else None,
        "prediction_set": list(grade.prediction_set) if is_graded else [],
    }


def _value_state(item: Measurement | None) -> dict[str, Any] | None:
    return None if item is None else {"id": item.id, "value": item.value}
