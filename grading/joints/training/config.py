"""Configuration of a training run of the sacroiliac grader: ``region``, ``crops``, ``network``, ``training``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grading.joints.config import REGION, JointGraderConfig, build_joint_config
from grading.training.optimisation import OptimisationConfig
from imaging.phantom.tables import read_yaml
from runtime.errors import ConfigError
from runtime.records import as_record, require_positive

FOLD_COUNT = 5
"""Patients of seed n belong to fold n mod 5."""


@dataclass(frozen=True)
class JointTrainingConfig(OptimisationConfig):
    """How a sacroiliac grader is trained."""

    held_out_fold: int = 0
    """Fold whose patients are not trained on: calibration and prediction sets come from them."""
    cuts: int = 4
    """Times a patient is cut, each with other misplaced frames; an epoch takes one of the cuts."""
    across_jitter_mm: float = 1.5
    """Standard deviation of a frame's place across the joint (found frames are about this far off)."""
    along_jitter_mm: float = 3.0
    """The same along the joint."""
    depth_jitter_mm: float = 2.5
    """The same through the slices."""
    turn_jitter_deg: float = 3.0
    """Standard deviation of a frame's turn in the slice."""
    slope_jitter: float = 0.05
    """Standard deviation of how far outwards the joint runs for 1 mm to the front."""
    scale_jitter: float = 0.06
    """Standard deviation of the logarithm of the patient's size."""
    series_shift_mm: float = 0.7
    """Standard deviation of the patient's move between STIR and T1, in the plane."""
    t1_dropout: float = 0.15
    """Probability that T1 is left out of a patient."""
    end_dropout: float = 0.2
    """Probability that slices at either end of the stack are left out of a patient."""
    alpha: float = 0.1
    """Accepted share of misses of the prediction sets, per step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.held_out_fold < FOLD_COUNT:
            raise ConfigError(
                f"training.held_out_fold: expected 0 to {FOLD_COUNT - 1}, got {self.held_out_fold!r}"
            )
        require_positive(self, ("cuts",), "training")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"training.alpha: expected between 0 and 1, got {self.alpha!r}")
        self._check_shares("t1_dropout", "end_dropout")


@dataclass(frozen=True)
class JointRunConfig:
    """Everything a run is made from."""

    grader: JointGraderConfig
    """Crops and network; saved with the weights."""
    training: JointTrainingConfig
    """Optimisation and augmentation."""


def load_joint_run_config(path: Path) -> JointRunConfig:
    """Read a run's YAML file.

    Raises:
        ConfigError: If the region is another one, a section or key is unknown, or a value does not fit.
    """
    table: dict[str, Any] = dict(read_yaml(path))
    region = table.pop("region", None)
    if region != REGION:
        raise ConfigError(f"{path.name}: region: expected {REGION!r}, got {region!r}")
    training = table.pop("training", {})
    return JointRunConfig(
        grader=build_joint_config(table, path.name),
        training=as_record(JointTrainingConfig, training, f"{path.name}: training"),
    )
