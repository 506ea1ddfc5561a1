"""What a fold's network says of the patients it has not seen, for calibration and benchmarks.

Each patient is scored with every set of series that a study can arrive with: with T1 and T2, without T1, and so
on. So every way in which a study can arrive has its own held-out discs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grading.config import GraderConfig
from grading.heads import HeadInfo, label_columns
from grading.model import GradingNetwork
from grading.probabilities import Rows
from grading.training.batches import Batch, plain_batch
from grading.training.cases import Case
from grading.training.run import predict_logits

_PATIENTS_AT_ONCE = 16


@dataclass(frozen=True)
class HeldOut:
    """Held-out discs with one set of series at hand.

    Attributes:
        patients: (N,) patient of each disc.
        levels: (N,) index of the level in the configuration.
        labels: (N, C) steps in the columns of ``label_columns``, -1 where not graded.
        logits: Head -> (N, K - 1 or K), or (N, 2, K - 1 or K) of a sided head.
    """

    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    labels: NDArray[np.int64]
    logits: dict[str, Rows]

    def rows(self, head: HeadInfo, heads: Sequence[HeadInfo]) -> "HeadRows":
        """Return the graded places of one head, the sides of a sided one as places of their own."""
        columns = label_columns(heads)[head.key]
        steps, logits = self.labels[:, columns], self.logits[head.key]
        logits = logits if head.is_sided else logits[:, None]
        known = steps >= 0
        patients = np.broadcast_to(self.patients[:, None], steps.shape)[known]
        levels = np.broadcast_to(self.levels[:, None], steps.shape)[known]
        return HeadRows(patients, levels, steps[known], logits[known])


@dataclass(frozen=True)
class HeadRows:
    """Graded places of one head.

    Attributes:
        patients: (M,).
        levels: (M,) index of the level.
        steps: (M,) true steps.
        logits: (M, K - 1 or K).
    """

    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    steps: NDArray[np.int64]
    logits: Rows


def at_hand_names(config: GraderConfig) -> tuple[str, ...]:
    """Return all sets of series with one of the midline, such as ``t2``, ``t1``, ``t2+t1``, ``t2+axial_t2``."""
    sources = config.sources
    subsets = [subset for size in range(1, len(sources) + 1) for subset in combinations(sources, size)]
    return tuple("+".join(subset) for subset in subsets if set(subset) & set(config.network.sequences))


def score_held_out(network: GradingNetwork, cases: Sequence[Case], config: GraderConfig) -> dict[str, HeldOut]:
    """Score patients: series at hand -> their discs."""
    return {name: _score(network, cases, config, name.split("+")) for name in at_hand_names(config)}


def _score(
    network: GradingNetwork, cases: Sequence[Case], config: GraderConfig, at_hand: Sequence[str]
) -> HeldOut:
    """Score the discs that show every series at hand, without the others."""
    kept = [case for case in cases if set(at_hand) <= _sources(case, config)]
    leave_out = [name for name in config.sources if name not in at_hand]
    parts = []
    for start in range(0, len(kept), _PATIENTS_AT_ONCE):
        some = kept[start : start + _PATIENTS_AT_ONCE]
        parts.append(_scored(network, some, plain_batch(some, config, leave_out=leave_out), config, at_hand))
    return join(parts) if parts else _nothing(config)


def _sources(case: Case, config: GraderConfig) -> set[str]:
    """Return the kinds of series that a case has."""
    views = {view.source for view in config.views if view.name in case.windows}
    return {item.sequence for item in case.slices} | {
        name for name in views if name not in config.network.sequences
    }


def _scored(
    network: GradingNetwork, cases: Sequence[Case], batch: Batch, config: GraderConfig, at_hand: Sequence[str]
) -> HeldOut:
    logits = predict_logits(network, batch)
    wanted = [name in at_hand for name in config.network.sequences]
    is_scored = batch.present[:, :, wanted].all(axis=2) & (batch.labels >= 0).any(axis=2)
    rows, levels = np.nonzero(is_scored)
    return HeldOut(
        patients=np.array([case.patient for case in cases], dtype=np.int64)[rows],
        levels=levels.astype(np.int64),
        labels=batch.labels[is_scored],
        logits={name: value[is_scored] for name, value in logits.items()},
    )


def _nothing(config: GraderConfig) -> HeldOut:
    empty = np.zeros(0, dtype=np.int64)
    columns = sum(map(len, label_columns(config.heads).values()))
    shapes = {
        head.key: (0, 2, head.logit_count) if head.is_sided else (0, head.logit_count) for head in config.heads
    }
    logits = {name: np.zeros(shape) for name, shape in shapes.items()}
    return HeldOut(empty, empty, np.zeros((0, columns), dtype=np.int64), logits)


def join(parts: Sequence[HeldOut]) -> HeldOut:
    """Join the discs of several folds."""
    return HeldOut(
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.labels for part in parts]),
        {name: np.concatenate([part.logits[name] for part in parts]) for name in parts[0].logits},
    )


def mean_scores(parts: Sequence[Mapping[str, HeldOut]]) -> dict[str, HeldOut]:
    """Return the scores of an average of members: of each head the mean logits of those that have it."""
    means = {}
    for at_hand, first in parts[0].items():
        rows = [part[at_hand].logits for part in parts]
        names = dict.fromkeys(name for row in rows for name in row)
        logits = {name: [row[name] for row in rows if name in row] for name in names}
        means[at_hand] = replace(first, logits={name: np.mean(rows, axis=0) for name, rows in logits.items()})
    return means


def save_held_out(scored: Mapping[str, HeldOut], file: Path) -> None:
    """Write the scores of one fold as npz."""
    arrays: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    for name, part in scored.items():
        arrays |= {f"{name}/patients": part.patients, f"{name}/levels": part.levels, f"{name}/labels": part.labels}
        arrays |= {f"{name}/logits/{condition}": value for condition, value in part.logits.items()}
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_held_out(file: Path) -> dict[str, HeldOut]:
    """Read what ``save_held_out`` wrote."""
    with np.load(file) as stored:
        arrays = {key: stored[key] for key in stored.files}
    names = sorted({key.split("/")[0] for key in arrays})
    return {
        name: HeldOut(
            arrays[f"{name}/patients"],
            arrays[f"{name}/levels"],
            arrays[f"{name}/labels"],
            {key.split("/")[-1]: value for key, value in arrays.items() if key.startswith(f"{name}/logits/")},
        )
        for name in names
    }
