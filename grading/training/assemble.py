"""From five fold networks to one grader: calibrate on held-out discs, fit prediction sets, write the folder.

The grader averages the calibrated probabilities of the fold networks. Retraining on everyone would leave no
held-out patient to calibrate with; the average uses every patient and keeps the calibration of its members.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from grading.calibration import fit_calibration
from grading.config import GraderConfig
from grading.conformal import fit_thresholds
from grading.heads import load_heads
from grading.model import GradingNetwork
from grading.probabilities import step_probabilities
from grading.storage import HeadTuning, StoredGrader, Tuning, save_grader
from grading.training.held_out import HeldOut, join


def fit_tuning(scored: Mapping[str, HeldOut]) -> Tuning:
    """Fit calibration and thresholds for each set of sequences and each condition.

    A set of sequences that no held-out disc has is left out.
    """
    tuning: Tuning = {}
    for name, part in scored.items():
        if len(part.patients) == 0:
            continue
        tuning[name] = {}
        for column, head in enumerate(load_heads()):
            known = part.labels[:, column] >= 0
            steps, logits = part.labels[known, column], part.logits[head.condition.value][known]
            calibration = fit_calibration(logits, steps, head.kind)
            probabilities = step_probabilities(calibration.apply(logits), head.kind)
            tuning[name][head.condition.value] = HeadTuning(
                calibration, fit_thresholds(probabilities, steps, alpha=head.alpha)
            )
    return tuning


def assemble(
    config: GraderConfig, members: Sequence[GradingNetwork], folds: Sequence[Mapping[str, HeldOut]], folder: Path
) -> StoredGrader:
    """Join fold networks and their held-out scores to a grader and write it.

    Args:
        config: Crops and network of all members.
        members: Fold networks.
        folds: Each fold's held-out scores.
        folder: Model folder to write.
    """
    joined = {name: join([fold[name] for fold in folds]) for name in folds[0]}
    levels = np.unique(np.concatenate([part.levels for part in joined.values()]))
    grader = StoredGrader(
        config=config,
        members=tuple(members),
        tuning=fit_tuning(joined),
        trained_levels=tuple(config.network.levels[index] for index in levels),
    )
    save_grader(grader, folder)
    return grader
