"""Several graders as one: each votes for a step, the most votes win; all of them side by side on one study.

A tie goes to the step that the network of the better validation accuracy for that condition named (system 4 of
SYSTEMS.md). Probabilities are the members' means. A prediction set holds every step that a member's set holds: it
covers at least as much as each of them. Grades by measurement are the same for all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy import SCALES, Condition, Protocol, Side
from grading.burden import measure_burden
from grading.predict import Grader
from grading.types import Findings, Grade
from imaging.types import Study
from segmentation.types import SegmentedStudy

Place = tuple[str | None, Side | None, Condition, str]
"""Level, side, condition and scale."""


@dataclass(frozen=True)
class Comparison:
    """One place as each grader sees it.

    Attributes:
        level: Disc level.
        side: Patient's side, or None.
        condition: Which.
        scale: Of the steps.
        grades: Grader -> its grade.
        voted: The step that wins; None where none of them could grade it.
    """

    level: str | None
    side: Side | None
    condition: Condition
    scale: str
    grades: dict[str, Grade]
    voted: str | None


def vote(steps: Sequence[str], accuracies: Sequence[float]) -> str:
    """Return the step with the most votes; a tie goes to the voter of the better validation accuracy.

    Args:
        steps: What each network names, at least one.
        accuracies: How often each named held-out places right.
    """
    votes = Counter(steps)
    most = max(votes.values())
    tied = [(accuracy, -number) for number, accuracy in enumerate(accuracies) if votes[steps[number]] == most]
    return steps[-max(tied)[1]]


class EnsembleGrader:
    """Grades by the vote of several graders.

    Args:
        graders: Name -> grader, of the same body region.

    Raises:
        ValueError: If there are fewer than two.
    """

    def __init__(self, graders: Mapping[str, Grader]) -> None:
        if len(graders) < 2:
            raise ValueError(f"graders: expected at least two, got {len(graders)}")
        self.graders = dict(graders)
        self.checksum = "+".join(grader.checksum for grader in graders.values())

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Return the Findings graph of the vote; notices are those of all members."""
        found = self._findings(study, segmented, protocol)
        first = next(iter(found.values()))
        voted = {_place(row): self._vote(row) for row in _side_by_side(found, self)}
        grades = tuple(replace(voted[_place(grade)], id=grade.id) for grade in first.grades)
        notices = tuple(dict.fromkeys(text for findings in found.values() for text in findings.notices))
        return replace(first, grades=grades, burden=measure_burden(grades, protocol), notices=notices)

    def compare(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> list[Comparison]:
        """Return every place with what each grader says of it, in the order of Findings."""
        return _side_by_side(self._findings(study, segmented, protocol), self)

    def winner(self, grades: Mapping[str, Grade]) -> str | None:
        """Return the step with the most votes; None without any vote."""
        given = [
            (grade.grade, self.graders[name].accuracy_of(grade))
            for name, grade in grades.items()
            if grade.grade is not None
        ]
        return vote(*zip(*given, strict=True)) if given else None

    def _findings(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> dict[str, Findings]:
        return {name: grader.grade(study, segmented, protocol) for name, grader in self.graders.items()}

    def _vote(self, row: Comparison) -> Grade:
        given = [grade for grade in row.grades.values() if grade.grade is not None]
        if not given:
            return next(iter(row.grades.values()))
        learned = [grade for grade in given if grade.probabilities]
        if not learned:  # by measurement: the same for all
            return given[0]
        steps = SCALES[row.scale].grades
        kept = {step for grade in given for step in grade.prediction_set} | {row.voted}
        means = {step: float(np.mean([grade.probabilities[step] for grade in learned])) for step in steps}
        votes = Counter(str(grade.grade) for grade in given)
        told = ", ".join(f"{count} for {step}" for step, count in votes.most_common())
        return replace(
            given[0],
            grade=row.voted,
            probabilities=means,
            prediction_set=tuple(step for step in steps if step in kept),
            reason=f"vote of {len(given)} networks: {told}",
        )


def _side_by_side(found: Mapping[str, Findings], ensemble: EnsembleGrader) -> list[Comparison]:
    by_place: dict[Place, dict[str, Grade]] = {}
    for name, findings in found.items():
        for grade in findings.grades:
            by_place.setdefault(_place(grade), {})[name] = grade
    return [Comparison(*place, grades, ensemble.winner(grades)) for place, grades in by_place.items()]


def _place(row: Grade | Comparison) -> Place:
    return row.level, row.side, row.condition, row.scale


def comparison_table(rows: Sequence[Comparison]) -> str:
    """Return the graders side by side as Markdown: each one's step with its probability, and the vote."""
    names = list(dict.fromkeys(name for row in rows for name in row.grades))
    head = ("level", "side", "condition", *names, "vote")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [_cell(row.grades.get(name)) for name in names]
        place = (
            row.level or "-",
            "-" if row.side is None else row.side.value,
            f"{row.condition.value} ({row.scale})",
        )
        lines.append(f"| {' | '.join([*place, *cells, row.voted or '-'])} |")
    return "\n".join(lines)


def _cell(grade: Grade | None) -> str:
    if grade is None or grade.grade is None:
        return "not assessable"
    probability = grade.probabilities.get(grade.grade)
    return grade.grade if probability is None else f"{grade.grade} ({probability:.2f})"
