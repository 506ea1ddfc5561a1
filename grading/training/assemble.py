"""From fold networks to one grader: calibrate on held-out discs, fit prediction sets, write the folder.

Two ways to ship. One fold's members: its patients stay unseen by the members and by their calibration, which comes
from the other folds' held-out discs, so the shipped system can be judged on them. Or the members of all folds:
every patient is used, but none is left to judge them by, and more members are averaged than the calibration knows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from grading.calibration import fit_calibration
from grading.config import GraderConfig
from grading.conformal import fit_thresholds
from grading.model import GradingNetwork
from grading.probabilities import likeliest_step, step_probabilities
from grading.storage import HeadTuning, StoredGrader, Tuning, save_grader
from grading.training.held_out import HeldOut, join


def fit_tuning(scored: Mapping[str, HeldOut], config: GraderConfig) -> Tuning:
    """Fit calibration and thresholds for each set of series and each head.

    A head is fitted for the sets of those series that it reads; sets that no held-out disc has are left out.
    """
    tuning: Tuning = {}
    for name, part in scored.items():
        for head in config.heads:
            rows = part.rows(head, config.heads)
            if len(rows.steps) == 0 or not set(name.split("+")) <= set(config.head_sources(head)):
                continue
            calibration = fit_calibration(rows.logits, rows.steps, head.kind)
            probabilities = step_probabilities(calibration.apply(rows.logits), head.kind)
            thresholds = fit_thresholds(probabilities, rows.steps, alpha=head.alpha)
            tuning.setdefault(name, {})[head.key] = HeadTuning(calibration, thresholds)
    return tuning


def named_right(scored: Mapping[str, HeldOut], config: GraderConfig) -> dict[str, float]:
    """Return the share of held-out places that each head names right, with all the series that it reads."""
    tuning, shares = fit_tuning(scored, config), {}
    for head in config.heads:
        full = "+".join(config.head_sources(head))
        if head.key not in tuning.get(full, {}):
            continue
        rows = scored[full].rows(head, config.heads)
        logits = tuning[full][head.key].calibration.apply(rows.logits)
        named = likeliest_step(step_probabilities(logits, head.kind), head.kind)
        shares[head.key] = float((named == rows.steps).mean())
    return shares


def assemble(
    config: GraderConfig,
    members: Sequence[GradingNetwork],
    folds: Sequence[Mapping[str, HeldOut]],
    folder: Path,
    *,
    shipped_fold: int | None,
    synthetic: Sequence[str] = (),
) -> StoredGrader:
    """Join fold networks and held-out scores to a grader and write it.

    Args:
        config: Crops and network of all members.
        members: The networks to ship.
        folds: Every fold's held-out scores.
        folder: Model folder to write.
        shipped_fold: The one fold whose members they are; None if they are of all folds.
        synthetic: Heads that no real image taught.
    """
    tuned_on = [fold for number, fold in enumerate(folds) if number != shipped_fold]
    joined = {name: join([fold[name] for fold in tuned_on]) for name in tuned_on[0]}
    levels = np.unique(np.concatenate([part.levels for part in joined.values()]))
    grader = StoredGrader(
        config=config,
        members=tuple(members),
        tuning=fit_tuning(joined, config),
        trained_levels=tuple(config.network.levels[index] for index in levels),
        synthetic=tuple(synthetic),
        accuracy=named_right(joined, config),
        unseen_fold=shipped_fold,
    )
    save_grader(grader, folder)
    return grader
