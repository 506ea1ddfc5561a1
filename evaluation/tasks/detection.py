"""Detection: two sets of boxes (CSV, JSONL or readings) to average precision and false positives."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.bootstrap import Interval
from evaluation.detection.figures import HEADLINE, StudyMatches, figures_of, match_studies
from evaluation.detection.rows import LabelledBox, read_boxes
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation, Figure, Row, value_of
from evaluation.scoring import Cases, score_cases, subgroup_notices, subgroup_table
from runtime.errors import StudyError


def evaluate_detection(predictions: Path, references: Path, options: EvaluationOptions) -> Evaluation:
    """Score boxes against boxes; a study of the references that the predictions do not list has no box found.

    Raises:
        StudyError: If a file is wrong, or predictions are of studies that the references do not list.
    """
    found, truth = read_boxes(predictions, is_scored=True), read_boxes(references, is_scored=False)
    extra = sorted(found.keys() - truth.keys())
    if extra:
        raise StudyError(
            f"{predictions.name}: expected the ids of {references.name}; {len(extra)} are not there, the first is "
            f"{extra[0]!r} (list a study without boxes with an empty label)"
        )
    ids = sorted(truth)
    labels, studies = match_studies(ids, found, truth)
    cases = Cases(
        ids,
        [options.patient_of(case) for case in ids],
        figures_of(labels, studies, options.score_threshold),
        HEADLINE,
    )
    figures = score_cases(cases, options, stage="detection")
    return Evaluation(
        task="detection",
        unit="study",
        figures=figures,
        per_case=[
            _case_row(case, patient, study, labels, options.score_threshold)
            for case, patient, study in zip(ids, cases.patients, studies, strict=True)
        ],
        tables={
            "by_label": _by_label(labels, studies, figures, options.score_threshold),
            "subgroups": subgroup_table(cases, options),
        },
        notices=(*_notices(ids, found, truth, figures), *subgroup_notices(cases, options)),
        failures=(),
        headline=tuple(name for name in HEADLINE if figures.get(name) is not None),
    )


def _case_row(case: str, patient: str, study: StudyMatches, labels: Sequence[str], threshold: float) -> Row:
    counts = [study.count(label, threshold) for label in labels]
    return {
        "id": case,
        "patient": patient,
        "true_boxes": sum(truths for truths, _, _ in counts),
        "found_boxes": sum(hits for _, hits, _ in counts),
        "false_boxes": sum(false for _, _, false in counts),
    }


def _by_label(
    labels: Sequence[str], studies: Sequence[StudyMatches], figures: Mapping[str, Figure], threshold: float
) -> list[Row]:
    rows: list[Row] = []
    for label in labels:
        counts = [study.count(label, threshold) for study in studies]
        row: dict[str, object] = {"label": label, "true_boxes": sum(truths for truths, _, _ in counts)}
        for name in HEADLINE:
            figure = figures[f"{name}_{label}"]
            row[name] = value_of(figure)
            row[f"{name}_low"] = figure.low if isinstance(figure, Interval) else None
            row[f"{name}_high"] = figure.high if isinstance(figure, Interval) else None
        rows.append(row)
    return rows


def _notices(
    ids: Sequence[str],
    found: Mapping[str, Sequence[LabelledBox]],
    truth: Mapping[str, Sequence[LabelledBox]],
    figures: Mapping[str, Figure],
) -> list[str]:
    notices = []
    lost = [case for case in ids if case not in found]
    if lost:
        notices.append(
            f"predictions: {len(lost)} of {len(ids)} studies are not listed and count as without a found box, "
            f"the first is {lost[0]!r}"
        )
    if not any(truth[case] for case in ids):
        notices.append("references: no box is there to be found: precision and recall have no value")
    notices += [f"{name}: no true box of this label" for name, figure in figures.items() if figure is None]
    return notices
