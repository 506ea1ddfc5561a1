"""Loss of the sacroiliac network: every question's likelihood over what is known, rare stages weighted up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anatomy import SCALES
from grading.joints.model import JointOutputs
from grading.joints.training.batches import JointBatch, LocatedCase

_MAX_WEIGHT = 4.0  # ours: keeps a few rare joints from ruling a step
# Shares of the questions, ours: the stage is what is asked for in the end, the patient's status follows from the
# joints.
_STAGE, _LESIONS, _ITEMS, _STATUS = 1.0, 2.0, 3.0, 0.5
STAGES = SCALES["as_stage"].grades


@dataclass(frozen=True)
class Targets:
    """Truth of a batch as tensors; see ``JointBatch``."""

    items: Tensor
    lesions: Tensor
    stages: Tensor
    status: Tensor
    present: Tensor

    @classmethod
    def of(cls, batch: JointBatch) -> "Targets":
        """Turn a batch's truth into tensors."""
        return cls(
            items=torch.from_numpy(batch.items).float(),
            lesions=torch.from_numpy(batch.lesions).float(),
            stages=torch.from_numpy(batch.stages),
            status=torch.from_numpy(batch.status).float(),
            present=torch.from_numpy(np.stack([joint.present for joint in batch.joints])),
        )


def stage_weights(cases: Sequence[LocatedCase]) -> Tensor:
    """Return the weight of each stage (4,): square root of balanced weights, mean 1 over the joints."""
    stages = np.concatenate([case.case.stages for case in cases])
    counts = np.bincount(stages, minlength=len(STAGES)).astype(float)
    raw = np.minimum(np.sqrt(counts.sum() / (len(counts) * np.maximum(counts, 1))), _MAX_WEIGHT)
    return torch.tensor(raw * counts.sum() / (raw * counts).sum(), dtype=torch.float32)


def joint_loss(outputs: JointOutputs, targets: Targets, weights: Tensor) -> Tensor:
    """Return the weighted sum of the questions' mean negative log-likelihoods.

    Args:
        outputs: Of the network.
        targets: Truth.
        weights: (4,) of the stages.
    """
    known = targets.stages >= 0
    steps = targets.stages[known]
    stage = -(outputs.stages[known].gather(1, steps[:, None])[:, 0] * weights[steps]).mean()
    lesions = functional.binary_cross_entropy_with_logits(outputs.lesions[known], targets.lesions[known])
    there = targets.present
    items = functional.binary_cross_entropy_with_logits(outputs.items[there], targets.items[there])
    status = functional.binary_cross_entropy_with_logits(outputs.status, targets.status)
    return _STAGE * stage + _LESIONS * lesions + _ITEMS * items + _STATUS * status
