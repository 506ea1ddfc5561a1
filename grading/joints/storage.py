"""A sacroiliac grader on disk: weights in safetensors (half precision), everything else in ``config.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from anatomy import SCALES
from grading.calibration import HeadCalibration
from grading.heads import HeadKind
from grading.joints.build import build_joint_network
from grading.joints.config import JointGraderConfig, build_joint_config
from grading.joints.model import LESIONS, SLICE_ITEMS, JointNetwork
from grading.storage import HeadTuning
from runtime.errors import WeightsError
from runtime.weights import WeightsFolder, seal_weights

JOINT_FORMAT = "spinescribe.joint-grader/1"
SCALES_GRADED = ("as_status", "as_stage")
KINDS = {"as_status": HeadKind.BINARY, "as_stage": HeadKind.CATEGORICAL}
"""Shape of the logits of each scale; the stage's are log probabilities, one a step."""

JointTuning = dict[str, dict[str, HeadTuning]]
"""Sequences at hand (``stir+t1`` or ``stir``) -> scale -> tuning."""


@dataclass(frozen=True)
class StoredJointGrader:
    """Everything a model folder holds.

    Attributes:
        config: Crops and network.
        network: In eval mode.
        tuning: Calibration and thresholds.
    """

    config: JointGraderConfig
    network: JointNetwork
    tuning: JointTuning


def save_joint_grader(grader: StoredJointGrader, folder: Path, *, made_by: Mapping[str, Any]) -> None:
    """Write a model folder and its checksums; a model card is written by hand.

    Args:
        grader: What is written.
        folder: Where.
        made_by: What it was trained on, kept for the reader.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = grader.network.state_dict().items()
    tensors = {
        name: value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for name, value in state
    }
    save_file(tensors, folder / "model.safetensors")
    table = {
        "format": JOINT_FORMAT,
        **asdict(grader.config),
        "heads": _heads(),
        "tuning": {
            present: {
                scale: {"calibration": item.calibration.to_dict(), "thresholds": item.thresholds}
                for scale, item in scales.items()
            }
            for present, scales in grader.tuning.items()
        },
        "made_by": dict(made_by),
    }
    (folder / "config.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)


def read_joint_grader(folder: WeightsFolder) -> StoredJointGrader:
    """Rebuild a grader from a verified folder.

    Raises:
        WeightsError: If the folder holds something else, or answers that this version does not have.
    """
    table: dict[str, Any] = folder.config
    if table.get("format") != JOINT_FORMAT:
        raise WeightsError(f"weights {folder.name!r}: expected format {JOINT_FORMAT}, got {table.get('format')!r}")
    if table["heads"] != _heads():
        raise WeightsError(
            f"weights {folder.name!r}: expected heads {_heads()!r}, got {table['heads']!r}; train anew"
        )
    config = build_joint_config({key: table[key] for key in ("crops", "network")}, "config.json")
    network = build_joint_network(config.network)
    state = load_file(folder.path / "model.safetensors")
    network.load_state_dict(
        {name: value.float() if value.dtype == torch.float16 else value for name, value in state.items()},
        strict=True,
    )
    return StoredJointGrader(
        config=config,
        network=network.eval(),
        tuning={
            present: {
                scale: HeadTuning(HeadCalibration.from_dict(item["calibration"]), tuple(item["thresholds"]))
                for scale, item in scales.items()
            }
            for present, scales in table["tuning"].items()
        },
    )


def _heads() -> dict[str, list[str]]:
    return {
        **{scale: list(SCALES[scale].grades) for scale in SCALES_GRADED},
        "slice_items": list(SLICE_ITEMS),
        "lesions": list(LESIONS),
    }
