"""Cases that can be scored on any choice of them: whole, resampled, or one subgroup."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import Interval, bootstrap_figures
from evaluation.options import EvaluationOptions
from evaluation.result import Figure, Row
from evaluation.subgroups import FEW_PATIENTS
from runtime.progress import Progress

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Cases:
    """N cases of a task.

    Attributes:
        ids: (N,) case identifiers.
        patients: (N,) whose.
        figures_of: Places in ``ids``, repeats allowed -> figures by name, nan where one is not defined.
        headline: The figures that subgroups are scored on.
    """

    ids: Sequence[str]
    patients: Sequence[str]
    figures_of: Callable[[Rows], Mapping[str, float]]
    headline: tuple[str, ...]


def score_cases(cases: Cases, options: EvaluationOptions, *, stage: str) -> dict[str, Figure]:
    """Return all figures with 95 % bootstrap intervals over patients."""

    def tick(share: float) -> None:
        options.show(Progress(stage, share, "intervals by bootstrap over patients"))

    return bootstrap_figures(
        cases.patients, cases.figures_of, resamples=options.resamples, seed=options.seed, tick=tick
    )


def subgroup_table(cases: Cases, options: EvaluationOptions) -> list[Row]:
    """Return the headline figures of every group of ``options.subgroups``, one row a group and figure."""
    if options.subgroups is None:
        return []
    return [
        row
        for name in options.subgroups.names
        for group, places in options.subgroups.groups(name, cases.ids).items()
        for row in group_rows(name, group, at(cases, places), options)
    ]


def at(cases: Cases, places: Sequence[int]) -> Cases:
    """Return some of the cases."""
    chosen = np.asarray(places, dtype=np.intp)
    return Cases(
        [cases.ids[place] for place in places],
        [cases.patients[place] for place in places],
        lambda rows: cases.figures_of(chosen[rows]),
        cases.headline,
    )


def group_rows(name: str, group: str, cases: Cases, options: EvaluationOptions) -> list[Row]:
    """Return the headline figures of one group, a row each: ``value`` None where not defined."""

    def headline(rows: Rows) -> dict[str, float]:
        figures = cases.figures_of(rows)
        return {key: figures[key] for key in cases.headline if key in figures}

    patients = len(set(cases.patients))
    found = bootstrap_figures(cases.patients, headline, resamples=options.resamples, seed=options.seed)
    start = {
        "subgroup": name,
        "group": group,
        "patients": patients,
        "cases": len(cases.ids),
        "is_few": patients < FEW_PATIENTS,
    }
    return [{**start, "metric": key, **figure_cells(figure)} for key, figure in found.items()]


def patient_table(per_case: Sequence[Row]) -> list[Row]:
    """Return the mean of each score of every patient; empty where each case is its own patient."""
    cases: dict[str, list[Row]] = {}
    for row in per_case:
        cases.setdefault(str(row["patient"]), []).append(row)
    if len(cases) == len(per_case):
        return []
    names = [
        name for name in dict.fromkeys(key for row in per_case for key in row) if name not in ("id", "patient")
    ]
    return [
        {"patient": patient, "cases": len(rows), **{name: _mean_of(rows, name) for name in names}}
        for patient, rows in cases.items()
    ]


def _mean_of(rows: Sequence[Row], name: str) -> float | None:
    known = [value for row in rows if isinstance(value := row.get(name), int | float)]
    return float(np.mean(known)) if known else None


def figure_cells(figure: Figure) -> dict[str, float | None]:
    """Return ``value``, ``low`` and ``high`` of a figure for a table."""
    if isinstance(figure, Interval):
        return {"value": figure.value, "low": figure.low, "high": figure.high}
    return {"value": figure, "low": None, "high": None}


def subgroup_notices(cases: Cases, options: EvaluationOptions) -> tuple[str, ...]:
    """Say which cases the CSV of subgroups does not list."""
    lost = [] if options.subgroups is None else options.subgroups.unlisted(cases.ids)
    if not lost:
        return ()
    return (f"subgroups: {len(lost)} of {len(cases.ids)} cases are not in the file, the first is {lost[0]!r}",)
