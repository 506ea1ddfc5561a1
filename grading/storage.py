"""A grader on disk: the members' weights in one safetensors file, everything else in ``config.json``.

``model.safetensors`` holds ``member0.<parameter>`` and so on, in half precision (read back as float32).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from grading.build import build_network
from grading.calibration import HeadCalibration
from grading.config import GraderConfig, build_grader_config
from grading.conformal import Thresholds
from grading.model import GradingNetwork
from runtime.errors import WeightsError
from runtime.weights import WeightsFolder, seal_weights

FORMAT = "spinescribe.grader/4"


@dataclass(frozen=True)
class HeadTuning:
    """What held-out patients taught about one condition, given the sequences at hand.

    Attributes:
        calibration: Temperature and shifts.
        thresholds: Of the prediction sets, per step.
    """

    calibration: HeadCalibration
    thresholds: Thresholds


Tuning = dict[str, dict[str, HeadTuning]]
"""Series at hand of those that a head reads (such as ``t2+t1``, as ``GraderConfig.sources``) -> head -> tuning."""


@dataclass(frozen=True)
class StoredGrader:
    """Everything a model folder holds.

    Attributes:
        config: Crops and network.
        members: Networks in eval mode; the logits of those that have a head are averaged.
        tuning: Calibration and thresholds.
        trained_levels: Levels that training cases had.
        synthetic: Heads that no real image taught.
        accuracy: Head -> share of held-out places whose step it named; breaks ties of an ensemble.
        unseen_fold: Fold whose patients neither members nor tuning saw; None where there is none.
    """

    config: GraderConfig
    members: tuple[GradingNetwork, ...]
    tuning: Tuning
    trained_levels: tuple[str, ...]
    synthetic: tuple[str, ...] = ()
    accuracy: dict[str, float] = field(default_factory=dict)
    unseen_fold: int | None = None


def save_grader(grader: StoredGrader, folder: Path) -> None:
    """Write a model folder and its checksums; a model card is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"member{number}.{name}": value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for number, member in enumerate(grader.members)
        for name, value in member.state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors")
    table = {
        "format": FORMAT,
        **asdict(grader.config),
        "members": [list(member.heads) for member in grader.members],
        "unseen_fold": grader.unseen_fold,
        "trained_levels": grader.trained_levels,
        "synthetic": grader.synthetic,
        "accuracy": grader.accuracy,
        "heads": {head.key: list(head.grades) for head in grader.config.heads},
        "alpha": {head.key: head.alpha for head in grader.config.heads},
        "tuning": {
            present: {
                name: {"calibration": item.calibration.to_dict(), "thresholds": item.thresholds}
                for name, item in heads.items()
            }
            for present, heads in grader.tuning.items()
        },
    }
    (folder / "config.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)


def read_grader(folder: WeightsFolder) -> StoredGrader:
    """Rebuild a grader from a verified folder.

    Raises:
        WeightsError: If the folder holds something else, or heads that this version does not have.
    """
    table: dict[str, Any] = folder.config
    if table.get("format") != FORMAT:
        raise WeightsError(
            f"weights {folder.name!r}: expected format {FORMAT}, got {table.get('format')!r}; restore the "
            "folder from the repository, or train it with this version"
        )
    config = build_grader_config({key: table[key] for key in ("region", "crops", "network")}, "config.json")
    heads = {head.key: list(head.grades) for head in config.heads}
    if table["heads"] != heads:
        raise WeightsError(
            f"weights {folder.name!r}: expected heads {heads!r}, got {table['heads']!r}; train anew"
        )
    return StoredGrader(
        config=config,
        members=_read_members(folder.path / "model.safetensors", config, table["members"]),
        tuning={
            present: {
                name: HeadTuning(HeadCalibration.from_dict(item["calibration"]), tuple(item["thresholds"]))
                for name, item in conditions.items()
            }
            for present, conditions in table["tuning"].items()
        },
        trained_levels=tuple(table["trained_levels"]),
        synthetic=tuple(table["synthetic"]),
        accuracy=dict(table["accuracy"]),
        unseen_fold=table["unseen_fold"],
    )


def _read_members(file: Path, config: GraderConfig, keys: Sequence[Sequence[str]]) -> tuple[GradingNetwork, ...]:
    """Read the members; ``keys`` names the heads of each."""
    tensors = load_file(file)
    members = []
    for number, heads in enumerate(keys):
        prefix = f"member{number}."
        state = {
            name.removeprefix(prefix): value.float() if value.dtype == torch.float16 else value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        network = build_network(config, heads)
        network.load_state_dict(state, strict=True)
        members.append(network.eval())
    return tuple(members)
