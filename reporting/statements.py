"""What may be said of each grade: plainly there, not there, or not excluded. The bridge from Findings to language.

A grade is said by its prediction set, not by its best step alone:

* only normal steps: not there (``no disc bulge``);
* only abnormal steps: there, with every step of the set (``moderate or severe``);
* both: not excluded (``possible disc bulge``; ``possible moderate stenosis``).

Pfirrmann grades are always said by number, whatever the set, because every step is a description of the disc.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from anatomy import SCALES, Condition, Side
from grading.types import Findings, Grade, GradeStatus
from reporting.phrases import measurement_phrases
from reporting.types import Fact
from segmentation.types import Measurement

EXPLICIT_SCALES = frozenset({"pfirrmann"})
"""Scales whose every step is said by name, normal ones too."""

_TWO_STEPS = 2


class Polarity(StrEnum):
    """How a grade is said."""

    PRESENT = "present"
    ABSENT = "absent"
    POSSIBLE = "possible"
    NOT_ASSESSABLE = "not_assessable"


_POSITIVE = frozenset({Polarity.PRESENT, Polarity.POSSIBLE})


@dataclass(frozen=True)
class Statement:
    """What may be said of one grade.

    Attributes:
        grade: The grade.
        polarity: How it is said.
        steps: Steps that are named, in the scale's order; empty when the phrase needs none (present, absent).
        measurements: Measurements with a value that belong to it.
    """

    grade: Grade
    polarity: Polarity
    steps: tuple[str, ...]
    measurements: tuple[Measurement, ...]

    @property
    def condition(self) -> Condition:
        """Return the condition."""
        return self.grade.condition

    @property
    def side(self) -> Side | None:
        """Return the patient's side."""
        return self.grade.side

    def to_fact(self, sentence: str = "") -> Fact:
        """Return the fact that the parser reads from any faithful phrasing.

        Raises:
            ValueError: If the grade is not assessable: then no fact is stated.
        """
        if self.polarity is Polarity.NOT_ASSESSABLE:
            raise ValueError(f"grade {self.grade.id}: not assessable, so there is no fact to state")
        return Fact(
            level=self.grade.level,
            side=self.side,
            condition=self.condition,
            grade="|".join(self.steps) or None,
            negated=self.polarity is Polarity.ABSENT,
            uncertain=self.polarity is Polarity.POSSIBLE,
            sentence=sentence,
        )


def steps_of(grade: Grade) -> tuple[str, ...]:
    """Return the steps that cannot be excluded, in the scale's order; the grade itself when no set was made."""
    known = set(grade.prediction_set) or ({grade.grade} if grade.grade is not None else set())
    return tuple(step for step in SCALES[grade.scale].grades if step in known)


def abnormal_steps(scale: str) -> frozenset[str]:
    """Return the steps of a scale that are positive findings."""
    return frozenset(step.grade for step in SCALES[scale].steps if step.is_abnormal)


def named_steps(scale: str) -> frozenset[str]:
    """Return the steps that the bare name of the condition means: Kang 1 is abnormal but no cord compression."""
    first = SCALES[scale].present_from
    steps = SCALES[scale].grades
    return abnormal_steps(scale) if first is None else frozenset(steps[steps.index(first) :])


def severity_weight(grade: Grade) -> float:
    """Return the severity of a grade for ranking, 0 (normal or not assessable) to 1."""
    return 0.0 if grade.grade is None else SCALES[grade.scale].step(grade.grade).weight


def state(grade: Grade, findings: Findings) -> Statement:
    """Return what may be said of a grade."""
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        return Statement(grade, Polarity.NOT_ASSESSABLE, (), ())
    steps = steps_of(grade)
    abnormal = tuple(step for step in steps if step in abnormal_steps(grade.scale))
    measurements = _measurements(grade, findings)
    if grade.scale in EXPLICIT_SCALES:
        return Statement(grade, Polarity.PRESENT, steps, measurements)
    named = () if len(SCALES[grade.scale].steps) == _TWO_STEPS else abnormal
    if not abnormal:
        return Statement(grade, Polarity.ABSENT, (), measurements)
    polarity = Polarity.PRESENT if len(abnormal) == len(steps) else Polarity.POSSIBLE
    return Statement(grade, polarity, named, measurements)


def states(grades: Iterable[Grade], findings: Findings) -> tuple[Statement, ...]:
    """Return what may be said of several grades."""
    return tuple(state(grade, findings) for grade in grades)


def facts_of(findings: Findings, level: str | None = None) -> list[Fact]:
    """Return the facts of Findings, of one level or of all: what a complete and faithful report states."""
    grades = findings.reported if level is None else findings.grades_at(level)
    stated = states(grades, findings)
    return [item.to_fact() for item in stated if item.polarity is not Polarity.NOT_ASSESSABLE]


def said_measurements(statement: Statement) -> tuple[Measurement, ...]:
    """Return the values said with a statement: the canal's always, others only beside a positive finding."""
    if statement.condition is Condition.SPINAL_CANAL_STENOSIS or statement.polarity in _POSITIVE:
        return statement.measurements
    return ()


def is_abnormal(statement: Statement) -> bool:
    """Tell whether any step that cannot be excluded is a positive finding."""
    return any(step in abnormal_steps(statement.grade.scale) for step in steps_of(statement.grade))


def _measurements(grade: Grade, findings: Findings) -> tuple[Measurement, ...]:
    """Return the values that a report says together with the condition (``measurements`` of phrases.yaml)."""
    names = [phrase.name for phrase in measurement_phrases(grade.condition)]
    return tuple(
        item
        for name in names
        for item in findings.measurements
        if item.name == name and item.level == grade.level and item.side == grade.side and item.value is not None
    )
