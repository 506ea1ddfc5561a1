"""Held-out grades and labels of a run as plain arrays: the only place that knows how training keeps them.

Real patients and phantoms are never put together, nor are two data sets: every figure is of one ``Origin``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from anatomy import CONDITIONS, SCALES
from grading.calibration import fit_calibration
from grading.config import GraderConfig
from grading.heads import HeadInfo, HeadKind, label_columns
from grading.probabilities import Rows, likeliest_step, step_probabilities
from grading.training.cases import Case
from grading.training.config import PhantomConfig
from grading.training.held_out import HeldOut, join
from runtime.folds import spider_folds

SIDES = ("left", "right")


class Origin(StrEnum):
    """Where patients come from; stands in every title."""

    SPIDER = "spider"
    RSNA = "rsna"
    PHANTOM = "phantom"


def origin_of(patient: int, phantoms: PhantomConfig) -> Origin:
    """Return where a patient comes from: SPIDER's own numbers, the seeds of phantoms, else studies of RSNA."""
    if patient in spider_folds():
        return Origin.SPIDER
    is_seed = phantoms.first_seed <= patient < phantoms.first_seed + phantoms.patients
    return Origin.PHANTOM if is_seed else Origin.RSNA


@dataclass(frozen=True)
class Scored:
    """Held-out places of one head; N places.

    Attributes:
        name: Of the head, as in tables and file names.
        title: For people.
        steps: Names of the steps, K of them.
        is_ordinal: Whether the steps have an order.
        patients: (N,).
        levels: (N,) index of the level.
        truth: (N,) true step.
        named: (N,) named step.
        raw: (N, K) probabilities as the network says them.
        calibrated: (N, K) probabilities calibrated on the other folds.
    """

    name: str
    title: str
    steps: tuple[str, ...]
    is_ordinal: bool
    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    raw: Rows
    calibrated: Rows

    def at(self, rows: NDArray[np.bool_]) -> "Scored":
        """Return some of the places."""
        return replace(
            self,
            patients=self.patients[rows],
            levels=self.levels[rows],
            truth=self.truth[rows],
            named=self.named[rows],
            raw=self.raw[rows],
            calibrated=self.calibrated[rows],
        )


@dataclass(frozen=True)
class Labelled:
    """Labels of one head before any training, sides as places of their own; N places.

    Attributes:
        name: Of the head.
        title: For people.
        steps: Names of the steps.
        patients: (N,).
        levels: (N,) index of the level.
        truth: (N,) step.
    """

    name: str
    title: str
    steps: tuple[str, ...]
    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    truth: NDArray[np.int64]


def head_title(head: HeadInfo) -> str:
    """Return the condition and its scale in words."""
    return f"{CONDITIONS[head.condition].words} ({SCALES[head.scale].title})"


def labelled_heads(cases: Sequence[Case], heads: Sequence[HeadInfo]) -> tuple[Labelled, ...]:
    """Return every head's labels."""
    found = []
    for head in heads:
        columns = list(label_columns(heads)[head.key])
        table = np.stack([case.labels[:, columns] for case in cases])  # (B, L, sides)
        case, level, _ = np.nonzero(table >= 0)
        patients = np.array([item.patient for item in cases], dtype=np.int64)
        found.append(Labelled(head.key, head_title(head), head.grades, patients[case], level, table[table >= 0]))
    return tuple(found)


def series_of(case: Case) -> tuple[str, ...]:
    """Return the kinds of series a case has: sequences of the midline, and windows beside or across it."""
    return tuple(sorted({item.sequence for item in case.slices} | set(case.windows)))


def scored_heads(folds: Sequence[Mapping[str, HeldOut]], config: GraderConfig) -> tuple[Scored, ...]:
    """Return every head's held-out places, each with all the series it has, calibrated on the other folds.

    A place that no set of series at hand allows a head to grade is left out; so is one whose other folds hold
    nothing to calibrate on.

    Args:
        folds: Every fold's held-out scores.
        config: Heads and levels.
    """
    return tuple(_scored_head(folds, config, head) for head in config.heads)


def _scored_head(folds: Sequence[Mapping[str, HeldOut]], config: GraderConfig, head: HeadInfo) -> Scored:
    parts = []
    for number, fold in enumerate(folds):
        seen: set[tuple[int, int, int]] = set()
        for at_hand in _usable_sets(fold, config, head):
            others = join([other[at_hand] for index, other in enumerate(folds) if index != number])
            part = _score(fold[at_hand], others, config, head)
            if part is None:
                continue
            places, scored = part
            is_new = np.array([place not in seen for place in places], dtype=bool)
            seen.update(places)
            parts.append(scored.at(is_new))
    return _join(head, parts)


def _usable_sets(fold: Mapping[str, HeldOut], config: GraderConfig, head: HeadInfo) -> list[str]:
    """Return the sets of series that a head can be graded on, the largest first."""
    sources = set(config.head_sources(head))
    subsets = [name for name in fold if set(name.split("+")) <= sources]
    return sorted(_met(subsets, config, head), key=lambda name: (-len(name.split("+")), name))


def _met(names: Sequence[str], config: GraderConfig, head: HeadInfo) -> list[str]:
    """Keep the sets that hold what the head needs: a sequence, or a view cut from one of them."""
    source_of = {view.name: view.source for view in config.views}
    kept = []
    for name in names:
        series = set(name.split("+"))
        views = {view for view, source in source_of.items() if source in series}
        if head.is_met(series | views):
            kept.append(name)
    return kept


def _score(
    part: HeldOut, others: HeldOut, config: GraderConfig, head: HeadInfo
) -> tuple[list[tuple[int, int, int]], Scored] | None:
    """Return the places (patient, level, side) of one fold and their scores; None with nothing to calibrate on."""
    rows, tuning = part.rows(head, config.heads), others.rows(head, config.heads)
    if len(rows.steps) == 0 or len(tuning.steps) == 0:
        return None
    calibration = fit_calibration(tuning.logits, tuning.steps, head.kind)
    calibrated = step_probabilities(calibration.apply(rows.logits), head.kind)
    sides = np.nonzero(part.labels[:, label_columns(config.heads)[head.key]] >= 0)[1]
    places = list(zip(rows.patients.tolist(), rows.levels.tolist(), sides.tolist(), strict=True))
    named = likeliest_step(calibrated, head.kind).astype(np.int64)
    raw = step_probabilities(rows.logits, head.kind)
    return places, Scored(
        head.key, head_title(head), head.grades, head.kind is not HeadKind.CATEGORICAL,
        rows.patients, rows.levels, rows.steps, named, raw, calibrated,
    )  # fmt: skip


def _join(head: HeadInfo, parts: Sequence[Scored]) -> Scored:
    is_ordinal = head.kind is not HeadKind.CATEGORICAL
    if not parts:
        empty, none = np.zeros(0, dtype=np.int64), np.zeros((0, len(head.grades)))
        return Scored(head.key, head_title(head), head.grades, is_ordinal, empty, empty, empty, empty, none, none)
    patients, levels, truth, named = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("patients", "levels", "truth", "named")
    )
    raw, calibrated = (np.concatenate([getattr(part, name) for part in parts]) for name in ("raw", "calibrated"))
    return Scored(
        head.key, head_title(head), head.grades, is_ordinal, patients, levels, truth, named, raw, calibrated
    )


def is_of(patients: NDArray[np.int64], origin: Origin, phantoms: PhantomConfig) -> NDArray[np.bool_]:
    """Return which patients (N,) are of an origin."""
    return np.array([origin_of(patient, phantoms) is origin for patient in patients.tolist()], dtype=bool)
