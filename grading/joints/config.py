"""Configuration of the sacroiliac grader: crop geometry and network, as they travel with the weights. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grading.config import EncoderConfig
from runtime.errors import ConfigError
from runtime.records import as_record, require_positive

REGION = "sacroiliac"
"""Word of ``region`` in a training file."""


@dataclass(frozen=True)
class JointCropGeometry:
    """The window cut along a joint on each slice; see ``grading.joints.frames`` for the axes."""

    pixel_mm: float = 0.8
    """Side of a pixel."""
    rows: int = 56
    """Across the joint: the sacrum's side first, the joint in the middle."""
    columns: int = 104
    """Along the joint: its head first."""
    reach_mm: float = 20.0
    """Slices whose middle lies within this distance of the joint's middle are read."""
    slices: int = 16
    """Most slices of a joint; of thinner slices every second (third, ...) one is read."""

    def __post_init__(self) -> None:
        require_positive(self, ("pixel_mm", "rows", "columns", "reach_mm", "slices"), "crops")


@dataclass(frozen=True)
class JointNetworkConfig(EncoderConfig):
    """Size of the network; a token is a slice of a joint."""

    token_width: int = 96
    """Width of a slice's token."""


@dataclass(frozen=True)
class JointGraderConfig:
    """What builds a sacroiliac grader and its inputs; saved as ``config.json`` beside the weights."""

    crops: JointCropGeometry = field(default_factory=JointCropGeometry)
    """Window along a joint."""
    network: JointNetworkConfig = field(default_factory=JointNetworkConfig)
    """Network."""


def build_joint_config(table: Mapping[str, Any], where: str) -> JointGraderConfig:
    """Build the configuration from the sections ``crops`` and ``network``.

    Raises:
        ConfigError: If a section or key is unknown or a value does not fit.
    """
    odd = sorted(set(table) - {"crops", "network"})
    if odd:
        raise ConfigError(f"{where}: unknown sections {', '.join(odd)}; expected crops, network")
    return JointGraderConfig(
        crops=as_record(JointCropGeometry, table.get("crops", {}), f"{where}: crops"),
        network=as_record(JointNetworkConfig, table.get("network", {}), f"{where}: network"),
    )
