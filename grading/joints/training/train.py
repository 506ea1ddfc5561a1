"""The door of training: cached phantoms, one network, its calibration, and the model folder made of them."""

import logging
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from grading.joints.build import build_joint_network
from grading.joints.storage import StoredJointGrader, save_joint_grader
from grading.joints.training.batches import LocatedCase
from grading.joints.training.cohorts import load_cohorts
from grading.joints.training.config import load_joint_run_config
from grading.joints.training.phantoms import CACHE, load_cases
from grading.joints.training.run import (
    load_joints_held_out,
    save_joints_held_out,
    score_joints,
    split_folds,
    train_joints_fold,
)
from grading.joints.training.tuning import tune_joints

logger = logging.getLogger(__name__)


def train_joints(
    config_path: Path,
    *,
    fold: int | None = None,
    resume: bool = False,
    out: Path | None = None,
    cache: Path = CACHE,
) -> Path:
    """Train the sacroiliac grader on phantoms, drawing those that are not cached yet.

    Patients are made at will, so one held-out fold calibrates and the frozen test sets judge: one network is
    trained, not one a fold.

    Args:
        config_path: YAML with ``region: sacroiliac`` and sections crops, network, training.
        fold: The fold that is held out; None takes the configuration's.
        resume: Go on from the checkpoint.
        out: Folder of the runs; None takes ``runs/grading/sacroiliac``.
        cache: Folder of drawn phantoms.

    Returns:
        The model folder.

    Raises:
        ConfigError: If the configuration is wrong.
    """
    config = load_joint_run_config(config_path)
    held_out = config.training.held_out_fold if fold is None else fold
    config = replace(config, training=replace(config.training, held_out_fold=held_out))
    folder = (Path("runs/grading/sacroiliac") if out is None else out) / f"fold{held_out}"
    cases = [LocatedCase(case) for case in load_cases(cache)]
    learners, unseen = split_folds(cases, held_out)
    logger.info("%d patients to learn from, %d held out", len(learners), len(unseen))
    if not (resume and (folder / "held_out.npz").is_file()):
        network = train_joints_fold(config, learners, folder, resume=resume)
        state = {name: value.contiguous() for name, value in network.state_dict().items()}
        save_file(state, folder / "model.safetensors")
        save_joints_held_out(score_joints(network, unseen, config), folder / "held_out.npz")
    network = build_joint_network(config.grader.network)
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    tuning = tune_joints(load_joints_held_out(folder / "held_out.npz"), cases, alpha=config.training.alpha)
    made_by = {
        "phantoms": load_cohorts().version,
        "learned_from": len(learners),
        "calibrated_on": len(unseen),
        "seed": config.training.seed,
    }
    grader = StoredJointGrader(config.grader, network.eval(), tuning)
    save_joint_grader(grader, folder / "grading-sacroiliac", made_by=made_by)
    return folder / "grading-sacroiliac"
