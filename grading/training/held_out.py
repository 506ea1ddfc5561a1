"""What a fold's network says of the patients it has not seen, for calibration and benchmarks.

Each patient is scored three times: with the sequences there are, without T1, without T2. So every way in which
a study can arrive has its own held-out discs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grading.config import GraderConfig
from grading.heads import load_heads
from grading.model import GradingNetwork
from grading.probabilities import Rows
from grading.training.batches import plain_batch
from grading.training.run import predict_logits
from grading.training.spider import Case


@dataclass(frozen=True)
class HeldOut:
    """Held-out discs with one set of sequences at hand.

    Attributes:
        patients: (N,) patient of each disc.
        levels: (N,) index of the level in the configuration.
        labels: (N, C) steps, -1 where not graded.
        logits: Condition -> (N, K - 1 or K).
    """

    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    labels: NDArray[np.int64]
    logits: dict[str, Rows]


def at_hand_names(config: GraderConfig) -> tuple[str, ...]:
    """Return the names of all sets of sequences, such as ``t2``, ``t1``, ``t2+t1``."""
    sequences = config.network.sequences
    return (*sequences, "+".join(sequences)) if len(sequences) > 1 else sequences


def score_held_out(network: GradingNetwork, cases: Sequence[Case], config: GraderConfig) -> dict[str, HeldOut]:
    """Score patients: sequences at hand -> their discs."""
    return {
        name: _score(
            network,
            cases,
            config,
            leave_out=[item for item in config.network.sequences if item not in name.split("+")],
        )
        for name in at_hand_names(config)
    }


def _score(
    network: GradingNetwork, cases: Sequence[Case], config: GraderConfig, *, leave_out: Sequence[str]
) -> HeldOut:
    """Score the discs that show every sequence that is not left out."""
    kept = [
        case
        for case in cases
        if {item.sequence for item in case.slices}.issuperset(set(config.network.sequences) - set(leave_out))
    ]
    heads = load_heads()
    if not kept:
        empty = np.zeros(0, dtype=np.int64)
        return HeldOut(
            empty,
            empty,
            np.zeros((0, len(heads)), dtype=np.int64),
            {head.condition.value: np.zeros((0, head.logit_count)) for head in heads},
        )
    batch = plain_batch(kept, config, leave_out=leave_out)
    logits = predict_logits(network, batch)
    wanted = [name not in leave_out for name in config.network.sequences]
    is_scored = batch.present[:, :, wanted].all(axis=2) & (batch.labels >= 0).any(axis=2)
    rows, levels = np.nonzero(is_scored)
    return HeldOut(
        patients=np.array([case.patient for case in kept], dtype=np.int64)[rows],
        levels=levels.astype(np.int64),
        labels=batch.labels[is_scored],
        logits={name: value[is_scored] for name, value in logits.items()},
    )


def join(parts: Sequence[HeldOut]) -> HeldOut:
    """Join the discs of several folds."""
    return HeldOut(
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.labels for part in parts]),
        {name: np.concatenate([part.logits[name] for part in parts]) for name in parts[0].logits},
    )


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
