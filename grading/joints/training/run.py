"""Train the sacroiliac network on the cached phantoms of all folds but one, and score that one.

A part of the training patients chooses the epoch. The run writes ``checkpoint.pt`` (to resume), ``history.csv``,
``model.safetensors`` and ``held_out.npz``: what the chosen network says of the patients it has not seen, with T1
and without, for calibration and figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grading.joints.build import build_joint_network
from grading.joints.model import JointInputs, JointNetwork, JointOutputs
from grading.joints.training.batches import JointBatch, LocatedCase, plain_batch, shuffled_batches
from grading.joints.training.config import FOLD_COUNT, JointRunConfig
from grading.joints.training.losses import Targets, joint_loss, stage_weights
from grading.training.loop import TrainingLoop
from grading.training.rates import parameter_groups
from runtime.device import denormals_flushed

AT_HAND = ("stir+t1", "stir")
"""Sequences at hand that patients are scored with."""


@dataclass(frozen=True)
class HeldOutJoints:
    """What a network says of N patients it has not seen; sides are left, right.

    Attributes:
        seeds: (N,) patients.
        stages: (N, 2) true steps, -1 where the joint was not found.
        status: (N,) truth.
        stage_logits: (N, 2, 4) log probabilities.
        status_logits: (N,).
        items: (N, 2, L, 13) truth.
        item_logits: (N, 2, L, 13).
        present: (N, 2, L).
    """

    seeds: NDArray[np.int64]
    stages: NDArray[np.int64]
    status: NDArray[np.int64]
    stage_logits: NDArray[np.float64]
    status_logits: NDArray[np.float64]
    items: NDArray[np.bool_]
    item_logits: NDArray[np.float64]
    present: NDArray[np.bool_]


def split_folds(cases: Sequence[LocatedCase], fold: int) -> tuple[list[LocatedCase], list[LocatedCase]]:
    """Return patients to train on and patients of the held-out fold."""
    return (
        [case for case in cases if case.case.seed % FOLD_COUNT != fold],
        [case for case in cases if case.case.seed % FOLD_COUNT == fold],
    )


def train_joints_fold(
    config: JointRunConfig, cases: Sequence[LocatedCase], folder: Path, *, resume: bool
) -> JointNetwork:
    """Train on patients of the other folds and return the chosen network in eval mode.

    Args:
        config: Of the run.
        cases: Training patients; the choosing part is split off here.
        folder: Where to write.
        resume: Go on from the checkpoint.

    Raises:
        ConfigError: If the checkpoint is of another configuration.
    """
    training, geometry = config.training, config.grader.crops
    torch.set_num_threads(training.threads)
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    order = rng.permutation(len(cases))
    held = round(training.holdout_share * len(cases))
    chooser, learners = ([cases[index] for index in part] for part in (order[:held], order[held:]))
    weights = stage_weights(learners)
    network = build_joint_network(config.grader.network)
    loop: TrainingLoop[JointNetwork] = TrainingLoop(
        network,
        parameter_groups(network, (network.encoder,), training.learning_rate, training.rate_decay),
        training,
        steps_per_epoch=-(-len(learners) // training.batch_patients),
        rng=rng,
        folder=folder,
        identity={**asdict(config), "patients": sorted(case.case.seed for case in cases)},
    )
    if resume:
        loop.resume()

    def loss_of(model: nn.Module, batch: JointBatch) -> Tensor:
        outputs = model(JointInputs(*(item.to(loop.device) for item in batch.inputs())))
        return joint_loss(JointOutputs(*(item.cpu() for item in outputs)), Targets.of(batch), weights)

    def losses(model: nn.Module) -> Iterator[Tensor]:
        for batch in shuffled_batches(learners, geometry, training, loop.rng):
            yield loss_of(model, batch)

    parts = [plain_batch(part, geometry) for part in _chunks(chooser, training.batch_patients)]

    def choose(model: JointNetwork) -> float:
        model.eval()
        with torch.inference_mode():
            found = [float(loss_of(model, part)) for part in parts]
        return float(np.mean(found))

    with denormals_flushed():
        return loop.run(losses, choose if parts else None)


def score_joints(
    network: JointNetwork, cases: Sequence[LocatedCase], config: JointRunConfig
) -> dict[str, HeldOutJoints]:
    """Return sequences at hand -> what the network says of patients."""
    chunks = _chunks(cases, config.training.batch_patients)
    return {
        name: _join(
            [
                (part, _predict(network, part))
                for chunk in chunks
                for part in [plain_batch(chunk, config.grader.crops, with_t1="t1" in name)]
            ],
            cases,
        )
        for name in AT_HAND
    }


def _predict(network: JointNetwork, batch: JointBatch) -> JointOutputs:
    network.eval()
    with torch.inference_mode():
        outputs: JointOutputs = network(batch.inputs())
    return outputs


def _join(parts: Sequence[tuple[JointBatch, JointOutputs]], cases: Sequence[LocatedCase]) -> HeldOutJoints:
    return HeldOutJoints(
        seeds=np.array([case.case.seed for case in cases], dtype=np.int64),
        stages=np.concatenate([batch.stages for batch, _ in parts]),
        status=np.concatenate([batch.status for batch, _ in parts]),
        stage_logits=np.concatenate([outputs.stages.double().numpy() for _, outputs in parts]),
        status_logits=np.concatenate([outputs.status.double().numpy() for _, outputs in parts]),
        items=np.concatenate([batch.items for batch, _ in parts]),
        item_logits=np.concatenate([outputs.items.double().numpy() for _, outputs in parts]),
        present=np.concatenate([np.stack([joint.present for joint in batch.joints]) for batch, _ in parts]),
    )


def _chunks(cases: Sequence[LocatedCase], size: int) -> list[Sequence[LocatedCase]]:
    return [cases[start : start + size] for start in range(0, len(cases), size)]


def save_joints_held_out(scored: dict[str, HeldOutJoints], file: Path) -> None:
    """Write scores as npz."""
    arrays = {
        f"{name}/{item.name}": getattr(part, item.name) for name, part in scored.items() for item in fields(part)
    }
    np.savez_compressed(file, **arrays)


def load_joints_held_out(file: Path) -> dict[str, HeldOutJoints]:
    """Read what ``save_joints_held_out`` wrote."""
    with np.load(file) as stored:
        arrays = {key: stored[key] for key in stored.files}
    return {
        name: HeldOutJoints(**{item.name: arrays[f"{name}/{item.name}"] for item in fields(HeldOutJoints)})
        for name in AT_HAND
    }
