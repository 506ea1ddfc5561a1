"""Figures of saliency maps: where the heat lies and what it hangs on, with intervals over patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evaluation.bootstrap import Interval, bootstrap_by_patient
from grading.saliency.randomise import STAGES, Likeness


class HasPatient(Protocol):
    """A row of one patient."""

    @property
    def patient(self) -> int:
        """Return the patient's number."""


@dataclass(frozen=True)
class Row:
    """One map of one grade on one series; what is unknown is None.

    ``fall`` and ``fall_elsewhere`` are in log-odds (score units), for all series of the level at once.
    """

    patient: int
    condition: str
    method: str
    series: str
    is_changed: bool
    energy_share: float | None
    area_share: float | None
    level_share: float | None
    random_energy_share: float | None
    fall: float
    fall_elsewhere: float
    likeness: dict[str, Likeness]


def interval_of(rows: Sequence[HasPatient], values: Sequence[float | None]) -> Interval | None:
    """Return the mean of known values with its interval over patients; None where nothing is known."""
    known = [(row.patient, value) for row, value in zip(rows, values, strict=True) if value is not None]
    if not known:
        return None
    numbers = np.array([value for _, value in known])
    return bootstrap_by_patient([patient for patient, _ in known], lambda index: float(numbers[index].mean()))


def judge(rows: Sequence[Row]) -> dict[str, Interval | None]:
    """Return the figures of one condition and method."""
    changed = [row for row in rows if row.is_changed]
    figures = {
        "energy_share": interval_of(rows, [row.energy_share for row in rows]),
        "energy_share_changed": interval_of(changed, [row.energy_share for row in changed]),
        "area_share": interval_of(rows, [row.area_share for row in rows]),
        "random_energy_share": interval_of(rows, [row.random_energy_share for row in rows]),
        "above_area": interval_of(rows, [less(row.energy_share, row.area_share) for row in rows]),
        "above_random": interval_of(rows, [less(row.energy_share, row.random_energy_share) for row in rows]),
        "level_share": interval_of(rows, [row.level_share for row in rows]),
        "deletion": interval_of(rows, [row.fall - row.fall_elsewhere for row in rows]),
    }
    for stage in STAGES:
        likeness = [row.likeness[stage] for row in rows]
        figures[f"rank: {stage}"] = interval_of(rows, [item.rank_correlation for item in likeness])
        sizes = [None if item.rank_correlation is None else abs(item.rank_correlation) for item in likeness]
        figures[f"size of rank: {stage}"] = interval_of(rows, sizes)
        figures[f"ssim: {stage}"] = interval_of(rows, [item.ssim for item in likeness])
    return figures


def less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def table_text(title: str, report: dict[str, dict[str, Interval | None]], columns: Sequence[str]) -> str:
    """Return some figures of all conditions as a Markdown table."""
    lines = [f"### {title}", "", "| condition | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, figures in report.items():
        lines.append(f"| {name} | " + " | ".join(_cell(figures[column]) for column in columns) + " |")
    return "\n".join(lines) + "\n"


def _cell(figure: Interval | None) -> str:
    return "-" if figure is None else f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
