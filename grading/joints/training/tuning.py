"""Calibration and prediction sets of the sacroiliac grader from patients that the network has not seen.

The held-out fold has more of the rare stages than there are in use, so that each has enough joints for a
threshold. Thresholds are per step and do not mind; calibration counts every joint as often as its step is among
natural patients.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from grading.calibration import fit_calibration
from grading.conformal import fit_thresholds
from grading.heads import HeadKind
from grading.joints.storage import KINDS, JointTuning
from grading.joints.training.batches import LocatedCase
from grading.joints.training.cohorts import load_cohorts
from grading.joints.training.run import HeldOutJoints
from grading.probabilities import Rows, step_probabilities
from grading.storage import HeadTuning


def tune_joints(scored: Mapping[str, HeldOutJoints], cases: Sequence[LocatedCase], *, alpha: float) -> JointTuning:
    """Fit both scales for each set of sequences at hand.

    Args:
        scored: Sequences at hand -> held-out patients.
        cases: All patients, for how common each step is.
        alpha: Accepted share of misses per step.
    """
    natural = {cohort.name for cohort in load_cohorts().cohorts if cohort.is_natural}
    usual = [case.case for case in cases if case.case.cohort in natural]
    stages = np.concatenate([case.stages for case in usual])
    statuses = np.array([case.status for case in usual])
    tuning: JointTuning = {}
    for name, part in scored.items():
        known = part.stages >= 0
        tuning[name] = {
            "as_status": _tune(part.status_logits[:, None], part.status, statuses, KINDS["as_status"], alpha),
            "as_stage": _tune(part.stage_logits[known], part.stages[known], stages, KINDS["as_stage"], alpha),
        }
    return tuning


def _tune(
    logits: Rows, steps: NDArray[np.int64], natural: NDArray[np.int64], kind: HeadKind, alpha: float
) -> HeadTuning:
    count = logits.shape[1] if kind is HeadKind.CATEGORICAL else 2
    calibration = fit_calibration(logits, steps, kind, weights=natural_weights(steps, natural, count))
    probabilities = step_probabilities(calibration.apply(logits), kind)
    return HeadTuning(calibration, fit_thresholds(probabilities, steps, alpha=alpha))


def natural_weights(steps: NDArray[np.int64], natural: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return how often each row counts (N,) so that steps are as common as among natural patients; mean 1."""
    here = np.bincount(steps, minlength=count) / len(steps)
    there = (np.bincount(natural, minlength=count) + 0.5) / (len(natural) + 0.5 * count)
    weights: NDArray[np.float64] = (there / np.maximum(here, 1e-9))[steps]
    weights /= weights.mean()
    return weights
