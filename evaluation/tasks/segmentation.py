"""Segmentation: two folders of label maps or readings to overlap, surface distance and level localisation."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from anatomy import DISC_LEVELS
from evaluation.inputs import READING, check_ids, label_maps_of
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation, Row
from evaluation.scoring import (
    Cases,
    Rows,
    at,
    group_rows,
    patient_table,
    score_cases,
    subgroup_notices,
    subgroup_table,
)
from evaluation.segmentation.figures import case_row, figures_of, present_structures
from evaluation.segmentation.pairs import CaseScore, score_case, side_of
from evaluation.segmentation.summary import by_class, by_level, notices, unscored
from runtime.errors import StudyError
from runtime.progress import Progress

HEADLINE = ("dice", "hd95_mm", "surface_dice", "level_found_share")


def evaluate_segmentation(predictions: Path, references: Path, options: EvaluationOptions) -> Evaluation:
    """Score a folder of label maps or readings against another, case by case.

    Raises:
        StudyError: If a case of the references has no prediction, a file cannot be read, or grids differ.
    """
    scores, told = _score_all(predictions, references, options)
    ids, values = list(scores), list(scores.values())
    cases = Cases(ids, [options.patient_of(case) for case in ids], figures_of(values), HEADLINE)
    figures = score_cases(cases, options, stage="segmentation")
    structures = present_structures(values)
    per_case = [
        case_row(case, patient, scores[case], structures)
        for case, patient in zip(ids, cases.patients, strict=True)
    ]
    return Evaluation(
        task="segmentation",
        unit="case",
        figures=figures,
        per_case=per_case,
        tables={
            "by_class": by_class(values, structures, figures),
            "by_level": by_level(values),
            "by_patient": patient_table(per_case),
            "unscored": unscored(values),
            "subgroups": [*subgroup_table(cases, options), *_level_groups(cases, scores, options)],
        },
        notices=(*told, *notices(scores, figures), *subgroup_notices(cases, options)),
        failures=(),
        headline=tuple(name for name in HEADLINE if figures.get(name) is not None),
    )


def _score_all(
    predictions: Path, references: Path, options: EvaluationOptions
) -> tuple[dict[str, CaseScore], tuple[str, ...]]:
    told, truth = label_maps_of(predictions), label_maps_of(references)
    what = "label maps" if truth else "readings"
    predicted, reference = (told, truth) if truth else (_readings(predictions), _readings(references))
    if not reference:
        raise StudyError(f"{references.name}: expected label maps (.nii, .nii.gz, .png) or readings, found none")
    notices = check_ids(predicted, reference, what=what)
    scores = {}
    for number, case in enumerate(sorted(reference), start=1):
        scores[case] = score_case(side_of(predictions, case, told), side_of(references, case, truth), options)
        options.show(Progress("segmentation", number / len(reference), f"{number} of {len(reference)} cases"))
    return scores, notices


def _readings(folder: Path) -> dict[str, Path]:
    return {file.parent.name: file for file in folder.glob(f"*/{READING}")}


def _level_groups(cases: Cases, scores: Mapping[str, CaseScore], options: EvaluationOptions) -> list[Row]:
    """Return the named disc Dice of every level, cases that have the disc in either map."""
    rows: list[Row] = []
    for level in DISC_LEVELS:
        places = [place for place, case in enumerate(cases.ids) if level in scores[case].disc_dice]
        if not places:
            continue
        dice = [scores[case].disc_dice[level] for case in cases.ids if level in scores[case].disc_dice]
        chosen = at(cases, places)
        scored = Cases(
            chosen.ids,
            chosen.patients,
            _mean_of("named_disc_dice", dice),
            ("named_disc_dice",),
        )
        rows += group_rows("level", level, scored, options)
    return rows


def _mean_of(name: str, values: Sequence[float]) -> Callable[[Rows], dict[str, float]]:
    return lambda rows: {name: sum(values[row] for row in rows.tolist()) / len(rows)}
