"""Grading: two sets of grades (CSV or readings) to agreement, calibration and coverage."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.grading.figures import AGREEMENT, HEADLINE, figures_of
from evaluation.grading.matched import NOT_GRADED, GradedPlaces, match_places
from evaluation.grading.rows import GradeRow, Place, read_grades
from evaluation.grading.summary import (
    auc_by_step,
    by_condition,
    by_level,
    confusion,
    coverage,
    level_rows,
    levels_of,
    reliability,
)
from evaluation.inputs import check_ids
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation, Figure, Row
from evaluation.scoring import Cases, Rows, group_rows, score_cases, subgroup_notices, subgroup_table
from runtime.errors import StudyError

_NEEDS = {
    "auc": "no probabilities, or only one class is there",
    "ece": "no probabilities",
    "rsna_log_loss": "no probabilities of RSNA grades",
    "coverage": "no prediction sets",
    "set_size": "no prediction sets",
    "quadratic_kappa": "one step only, or no place was graded",
    "macro_f1": "no place was graded",
    "accuracy": "no place was graded",
}


def evaluate_grading(predictions: Path, references: Path, options: EvaluationOptions) -> Evaluation:
    """Score grades against grades; places are matched by id, level, side, condition and scale.

    Raises:
        StudyError: If a file is wrong, or a case of the references has no prediction at all.
    """
    told, truth = read_grades(predictions), read_grades(references)
    ids = sorted({place.id for place, row in truth.items() if row.grade is not None})
    if not ids:
        raise StudyError(f"{references.name}: expected at least one graded place, found none")
    notices = check_ids(dict.fromkeys(place.id for place in told), dict.fromkeys(ids), what="grades")
    sets = match_places(told, truth, ids)
    patients = _patients(ids, truth, told, options)
    cases = Cases(ids, patients, figures_of(sets, len(ids)), HEADLINE)
    figures = score_cases(cases, options, stage="grading")
    return Evaluation(
        task="grading",
        unit="study",
        figures=figures,
        per_case=_per_case(ids, patients, sets),
        tables={
            "by_condition": by_condition(sets, figures),
            "by_level": by_level(sets),
            "confusion": confusion(sets),
            "auc_by_step": auc_by_step(sets),
            "reliability": reliability(sets),
            "coverage": coverage(sets),
            "subgroups": [*subgroup_table(cases, options), *_level_groups(cases, sets, options)],
        },
        notices=(
            *notices,
            *_places_notices(told, truth, sets),
            *_undefined(figures),
            *subgroup_notices(cases, options),
        ),
        failures=(),
        headline=tuple(name for name in HEADLINE if figures.get(name) is not None),
    )


def _patients(
    ids: Sequence[str],
    truth: Mapping[Place, GradeRow],
    told: Mapping[Place, GradeRow],
    options: EvaluationOptions,
) -> list[str]:
    """Return the patient of every case: of ``--patients``, else of a column ``patient``, else the case itself."""
    columns = {place.id: row.patient for rows in (told, truth) for place, row in rows.items() if row.patient}
    return [options.patients.get(case) or columns.get(case, case) for case in ids]


def _per_case(ids: Sequence[str], patients: Sequence[str], sets: Sequence[GradedPlaces]) -> list[Row]:
    rows: list[Row] = []
    for number, (case, patient) in enumerate(zip(ids, patients, strict=True)):
        mine = [(item, np.flatnonzero(item.cases == number)) for item in sets]
        total = sum(len(places) for _, places in mine)
        graded = sum(int((item.named[places] != NOT_GRADED).sum()) for item, places in mine)
        correct = sum(int((item.named[places] == item.truth[places]).sum()) for item, places in mine)
        row: dict[str, object] = {"id": case, "patient": patient}
        row |= {"places": total, "graded": graded, "correct": correct}
        row["accuracy"] = correct / graded if graded else None
        for item, places in mine:
            known = places[item.named[places] != NOT_GRADED]
            hits = item.named[known] == item.truth[known]
            row[f"accuracy_{item.name}"] = float(hits.mean()) if len(hits) else None
        rows.append(row)
    return rows


def _level_groups(cases: Cases, sets: Sequence[GradedPlaces], options: EvaluationOptions) -> list[Row]:
    rows: list[Row] = []
    for level in levels_of(sets):
        here = [part for item in sets if len((part := item.at(level_rows(item, level))).truth)]
        numbers = sorted({number for part in here for number in part.cases.tolist()})
        chosen = np.asarray(numbers, dtype=np.intp)
        scored = Cases(
            [cases.ids[number] for number in numbers],
            [cases.patients[number] for number in numbers],
            _among(figures_of(here, len(cases.ids), only=AGREEMENT), chosen),
            AGREEMENT,
        )
        rows += group_rows("level", level or "whole study", scored, options)
    return rows


def _among(score: Callable[[Rows], Mapping[str, float]], chosen: Rows) -> Callable[[Rows], Mapping[str, float]]:
    return lambda rows: score(chosen[rows])


def _places_notices(
    told: Mapping[Place, GradeRow], truth: Mapping[Place, GradeRow], sets: Sequence[GradedPlaces]
) -> list[str]:
    notices = []
    for item in sets:
        lost = int((item.named == NOT_GRADED).sum())
        if lost:
            notices.append(
                f"{item.name}: {lost} of {len(item.truth)} places have no predicted grade; agreement is over the "
                f"others (graded_share_{item.name})"
            )
    without = sum(row.grade is None for row in truth.values())
    if without:
        notices.append(f"references: {without} places are not assessable and were left out")
    extra = len(told.keys() - truth.keys())
    if extra:
        notices.append(f"predictions: {extra} grades have no reference and are not scored")
    return notices


def _undefined(figures: Mapping[str, Figure]) -> list[str]:
    notices = []
    for name, figure in figures.items():
        metric = next((metric for metric in _NEEDS if name == metric or name.startswith(f"{metric}_")), None)
        if figure is None and metric is not None:
            notices.append(f"{name}: {_NEEDS[metric]}")
    return notices
