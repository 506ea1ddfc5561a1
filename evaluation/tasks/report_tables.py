"""Tables of the report task: beside baselines, beside a second system, kinds of error, facts by level."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, SIJ
from evaluation.honesty import PairedTest, paired_test
from evaluation.options import EvaluationOptions
from evaluation.result import Row
from evaluation.scoring import Cases, Rows, at, group_rows
from evaluation.spinefact import Outcome, best_comparison
from runtime.errors import StudyError

_ERRORS = ("negation_errors", "side_errors", "level_errors", "grade_errors", "hedge_errors", "omitted", "invented")
_LEVEL_F1 = "spinefact_micro_f1"


class HasReportScores(Protocol):
    """Texts, scored report by report."""

    @property
    def per_report(self) -> Mapping[str, NDArray[np.float64]]:
        """Return name -> (N,)."""


def baseline_table(
    corpus: Mapping[str, float],
    others: Mapping[str, Mapping[str, float]],
    comparisons: Mapping[str, PairedTest],
    names: Sequence[str],
) -> list[Row]:
    """Return the predictions' figures, then those of each baseline and how far the predictions lead in facts."""
    rows: list[Row] = [{"report": "predictions", **_cells(corpus, names)}]
    for name, figures in others.items():
        rows.append({"report": name, **_cells(figures, names), **_lead(comparisons.get(name))})
    return rows


def against_table(
    ours: Mapping[str, NDArray[np.float64]],
    rival: Mapping[str, str],
    truth: Mapping[str, str],
    cases: Cases,
    score: Callable[[Mapping[str, str]], HasReportScores],
    names: Sequence[str],
) -> list[Row]:
    """Return the paired test of each headline figure against a second system, report by report.

    Raises:
        StudyError: If the second system's ids differ.
    """
    odd = sorted(rival.keys() ^ truth.keys())
    if odd:
        raise StudyError(f"against: expected the ids of the references; {odd[0]!r} is in one only")
    theirs = score(rival).per_report
    rows: list[Row] = []
    for name in names:
        if name not in ours or name not in theirs or np.isnan(ours[name] - theirs[name]).all():
            continue
        test = paired_test(ours[name], theirs[name], cases.patients)
        rows.append({"metric": name, **_lead(test), "patients": test.n})
    return rows


def error_table(corpus: Mapping[str, float]) -> list[Row]:
    """Return the mean number of each kind of wrong fact in a report."""
    return [
        {"error": name, "mean_in_a_report": _known(corpus[f"spinefact_{name}"])}
        for name in _ERRORS
        if f"spinefact_{name}" in corpus
    ]


def level_groups(
    told: Mapping[str, str], truth: Mapping[str, str], cases: Cases, options: EvaluationOptions
) -> list[Row]:
    """Return the pooled F1 of the facts of every level that either report names."""
    counts = [_counts(told[case], truth[case]) for case in cases.ids]
    rows: list[Row] = []
    for level in (*DISC_LEVELS, SIJ, None):
        places = [place for place, mine in enumerate(counts) if level in mine]
        if not places:
            continue
        table = np.array([counts[place][level] for place in places], dtype=np.float64)
        chosen = at(cases, places)
        scored = Cases(chosen.ids, chosen.patients, _pooled(table), (_LEVEL_F1,))
        rows += group_rows("level", level or "no level", scored, options)
    return rows


def _counts(told: str, truth: str) -> dict[str | None, list[int]]:
    """Return level -> matched, stated and referenced facts."""
    comparison, _ = best_comparison(told, [truth])
    counts: dict[str | None, list[int]] = {}
    matched = [pair.referenced for pair in comparison.of(Outcome.MATCH) if pair.referenced is not None]
    for column, facts in enumerate((matched, comparison.stated, comparison.referenced)):
        for fact in facts:
            counts.setdefault(fact.level, [0, 0, 0])[column] += 1
    return counts


def _pooled(table: NDArray[np.float64]) -> Callable[[Rows], dict[str, float]]:
    def figures(rows: Rows) -> dict[str, float]:
        matched, stated, referenced = table[rows].sum(axis=0)
        return {_LEVEL_F1: float(2 * matched / (stated + referenced))}

    return figures


def _lead(test: PairedTest | None) -> dict[str, float | None]:
    if test is None:
        return {}
    return {"lead": test.difference, "lead_low": test.interval.low, "lead_high": test.interval.high, "p": test.p}


def _cells(corpus: Mapping[str, float], names: Sequence[str]) -> dict[str, float | None]:
    return {name: _known(corpus[name]) for name in names if name in corpus}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
