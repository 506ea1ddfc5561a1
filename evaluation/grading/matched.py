"""References and predictions brought together: one record of arrays a condition and scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import CONDITIONS, SCALES, Condition
from evaluation.grading.rows import GradeRow, Place
from evaluation.scoring import Rows

NOT_GRADED = -1


@dataclass(frozen=True)
class GradedPlaces:
    """N places of one condition, by one scale, that have a true grade.

    Attributes:
        name: Condition, with the scale behind it where that is not the usual one.
        condition: Condition.
        scale: Name in ``anatomy.SCALES``.
        places: (N,) what and where.
        cases: (N,) index of the case.
        truth: (N,) true step.
        named: (N,) named step, -1 where the predictions have none.
        probabilities: (N, K), nan where not given.
        sets: (N, K) whether each step is in the prediction set.
        has_set: (N,) whether a prediction set was given.
    """

    name: str
    condition: str
    scale: str
    places: Sequence[Place]
    cases: NDArray[np.intp]
    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    sets: NDArray[np.bool_]
    has_set: NDArray[np.bool_]

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the steps of the scale."""
        return SCALES[self.scale].grades

    def at(self, rows: Rows) -> "GradedPlaces":
        """Return some of the places."""
        return replace(
            self,
            places=[self.places[row] for row in rows.tolist()],
            cases=self.cases[rows],
            truth=self.truth[rows],
            named=self.named[rows],
            probabilities=self.probabilities[rows],
            sets=self.sets[rows],
            has_set=self.has_set[rows],
        )


def match_places(
    predicted: Mapping[Place, GradeRow], reference: Mapping[Place, GradeRow], ids: Sequence[str]
) -> list[GradedPlaces]:
    """Match every place that has a true grade with its prediction.

    Args:
        predicted: What is scored.
        reference: Truth.
        ids: Cases in order.
    """
    index = {case: number for number, case in enumerate(ids)}
    kinds: dict[tuple[str, str], list[Place]] = {}
    for place, row in reference.items():
        if row.grade is not None:
            kinds.setdefault((place.condition, place.scale), []).append(place)
    return [
        _gather(condition, scale, places, predicted, reference, index)
        for (condition, scale), places in sorted(kinds.items())
    ]


def name_of(condition: str, scale: str) -> str:
    """Return the name of a condition in figures, with its scale where that is not the usual one."""
    return condition if CONDITIONS[Condition(condition)].scales[0] == scale else f"{condition}_{scale}"


def _gather(
    condition: str,
    scale: str,
    places: Sequence[Place],
    predicted: Mapping[Place, GradeRow],
    reference: Mapping[Place, GradeRow],
    index: Mapping[str, int],
) -> GradedPlaces:
    steps = SCALES[scale].grades
    rows = [predicted.get(place, GradeRow(None)) for place in places]
    return GradedPlaces(
        name=name_of(condition, scale),
        condition=condition,
        scale=scale,
        places=places,
        cases=np.array([index[place.id] for place in places], dtype=np.intp),
        truth=np.array([steps.index(reference[place].grade or "") for place in places], dtype=np.int64),
        named=np.array(
            [NOT_GRADED if row.grade is None else steps.index(row.grade) for row in rows], dtype=np.int64
        ),
        probabilities=np.array([row.probabilities or (np.nan,) * len(steps) for row in rows], dtype=np.float64),
        sets=np.array([[step in (row.prediction_set or ()) for step in steps] for row in rows], dtype=np.bool_),
        has_set=np.array([row.prediction_set is not None for row in rows], dtype=np.bool_),
    )
