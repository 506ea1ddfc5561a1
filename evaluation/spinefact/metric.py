"""SpineFact as a text metric: counts of each report, and the figures made of them.

The headline ``spinefact_f1`` is strict (level, side, condition, negation, hedge and grade) and the mean over
reports, so that each report weighs the same. Where neither report nor reference states a fact there is no F1
(nan); such reports are left out of the means and counted in ``spinefact_unscored_reports``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from evaluation.spinefact.compare import Comparison, Outcome, compare_reports, is_full_match
from evaluation.spinefact.grades import is_abnormal, same_grade, steps_apart
from evaluation.spinefact.reading import ReadReport, read_report
from evaluation.spinefact.values import value_errors
from evaluation.text.base import TextScores
from runtime.errors import StudyError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """What is counted in one report; see docs/spinefact.md."""

    stated: float
    referenced: float
    matched: float
    findings: float
    abnormal_stated: float
    abnormal_referenced: float
    abnormal_matched: float
    graded: float
    same_grade: float
    compared: float
    steps_apart: float
    negation_errors: float
    side_errors: float
    level_errors: float
    grade_errors: float
    hedge_errors: float
    omitted: float
    invented: float
    value_errors: float
    unread_sentences: float
    partly_read_sentences: float
    unread_reference_sentences: float
    partly_read_reference_sentences: float


_NAMES = tuple(field.name for field in fields(Counts))
_MEANS = {
    "stated_facts": "stated",
    "reference_facts": "referenced",
    **{name: name for name in _NAMES[_NAMES.index("negation_errors") :]},
}
"""Figure -> count whose mean over reports it is."""
_SHARES = {
    "": ("matched", "stated", "referenced"),
    "finding_": ("findings", "stated", "referenced"),
    "abnormal_": ("abnormal_matched", "abnormal_stated", "abnormal_referenced"),
}
"""Prefix -> counts of what agrees, what is stated and what is referenced."""
_POOLED = {"grade_accuracy": ("same_grade", "graded"), "ordinal_distance": ("steps_apart", "compared")}
"""Figure -> counts whose ratio it is, over all matched findings."""


class SpineFact:
    """Scores what reports state; implements ``evaluation.text.base.TextMetric``."""

    names: tuple[str, ...] = tuple(
        f"spinefact_{name}"
        for name in (
            *(f"{prefix}{kind}" for prefix in _SHARES for kind in ("f1", "precision", "recall", "micro_f1")),
            *_POOLED,
            *_MEANS,
            "unscored_reports",
        )
    )

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score reports against one or several references each.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
        """
        if not predictions or len(predictions) != len(references):
            raise StudyError(f"references: expected {len(predictions)} and at least one, got {len(references)}")
        rows = [_counts(text, truths) for text, truths in zip(predictions, references, strict=True)]
        table = np.array([astuple(row) for row in rows], dtype=np.float64)
        return TextScores(_corpus(table), _per_report(table), lambda chosen: _corpus(table[chosen]))


def compare_texts(prediction: str, reference: str) -> Comparison:
    """Compare one report with one reference."""
    return compare_reports(read_report(prediction).stated, read_report(reference).stated)


def best_comparison(prediction: str, references: Sequence[str]) -> tuple[Comparison, ReadReport]:
    """Return the comparison with the reference that agrees best, and that reference as it was read.

    Best is the highest strict F1, then the F1 of findings, then the earlier reference.

    Raises:
        StudyError: If there is no reference.
    """
    if not references or isinstance(references, str):
        raise StudyError(
            f"references: expected a list of at least one text for each report, got {references!r:.40}"
        )
    read = [read_report(text) for text in references]
    own = read_report(prediction).stated
    compared = [compare_reports(own, item.stated) for item in read]
    best = max(range(len(read)), key=lambda index: (*_agreement(compared[index]), -index))
    return compared[best], read[best]


def _agreement(comparison: Comparison) -> tuple[float, float]:
    total = len(comparison.stated) + len(comparison.referenced)
    matched = len(comparison.of(Outcome.MATCH))
    return (2 * matched / total, 2 * len(comparison.findings) / total) if total else (0.0, 0.0)


def _counts(prediction: str, references: Sequence[str]) -> Counts:
    comparison, reference = best_comparison(prediction, references)
    own = read_report(prediction)
    graded = [pair for pair in comparison.findings if pair[1].grade is not None]
    apart = [value for pair in comparison.findings if (value := steps_apart(*pair)) is not None]
    full = [pair for pair in comparison.findings if is_full_match(*pair)]
    errors = {outcome: float(len(comparison.of(outcome))) for outcome in Outcome}
    return Counts(
        stated=len(comparison.stated),
        referenced=len(comparison.referenced),
        matched=errors[Outcome.MATCH],
        findings=len(comparison.findings),
        abnormal_stated=sum(is_abnormal(fact) for fact in comparison.stated),
        abnormal_referenced=sum(is_abnormal(fact) for fact in comparison.referenced),
        abnormal_matched=sum(is_abnormal(pair[0]) for pair in full),
        graded=len(graded),
        same_grade=sum(same_grade(*pair) for pair in graded),
        compared=len(apart),
        steps_apart=sum(apart),
        negation_errors=errors[Outcome.NEGATION],
        side_errors=errors[Outcome.SIDE],
        level_errors=errors[Outcome.LEVEL],
        grade_errors=errors[Outcome.GRADE],
        hedge_errors=errors[Outcome.HEDGE],
        omitted=errors[Outcome.OMITTED],
        invented=errors[Outcome.INVENTED],
        value_errors=value_errors(own.values, reference.values),
        unread_sentences=len(own.unread),
        partly_read_sentences=len(own.partly_read),
        unread_reference_sentences=len(reference.unread),
        partly_read_reference_sentences=len(reference.partly_read),
    )


def _per_report(table: Values) -> Mapping[str, Values]:
    values: dict[str, Values] = {}
    for prefix, counts in _SHARES.items():
        hits, told, truth = (_column(table, name) for name in counts)
        values[f"{prefix}f1"] = values[f"{prefix}micro_f1"] = _ratio(2 * hits, told + truth)
        for kind, total in (("precision", told), ("recall", truth)):
            share = _ratio(hits, total)
            values[f"{prefix}{kind}"] = np.where(np.isnan(share) & (told + truth > 0), 0.0, share)
    values |= {name: _ratio(_column(table, top), _column(table, below)) for name, (top, below) in _POOLED.items()}
    values |= {name: _column(table, count) for name, count in _MEANS.items()}
    values["unscored_reports"] = np.isnan(values["f1"]).astype(np.float64)
    return {f"spinefact_{name}": value for name, value in values.items()}


def _corpus(table: Values) -> Mapping[str, float]:
    figures = {name: _mean(values) for name, values in _per_report(table).items()}
    sums = dict(zip(_NAMES, table.sum(axis=0).tolist(), strict=True))
    for prefix, (hits, told, truth) in _SHARES.items():
        figures[f"spinefact_{prefix}micro_f1"] = _over(2 * sums[hits], sums[told] + sums[truth])
    for name, (top, below) in _POOLED.items():
        figures[f"spinefact_{name}"] = _over(sums[top], sums[below])
    return figures


def _column(table: Values, name: str) -> Values:
    column: Values = table[:, _NAMES.index(name)]
    return column


def _ratio(top: Values, below: Values) -> Values:
    share: Values = np.divide(top, below, out=np.full(len(top), np.nan), where=below > 0)
    return share


def _over(top: float, below: float) -> float:
    return top / below if below else float("nan")


def _mean(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
