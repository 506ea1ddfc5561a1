"""Configuration of the sacroiliac grader: crop geometry and network, as they travel with the weights. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grading.config import ENCODER_NAMES
from runtime.errors import ConfigError
from runtime.records import as_record

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
        for name in ("pixel_mm", "rows", "columns", "reach_mm", "slices"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"crops.{name}: expected a positive number, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class JointNetworkConfig:
    """Size of the network."""

    encoder: str = "small_cnn"
    """Patch encoder, one of ``grading.encoders.ENCODERS``."""
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels after the stem and after each halving."""
    token_width: int = 96
    """Width of a slice's token."""
    heads: int = 4
    """Attention heads across the slices of a joint."""
    layers: int = 2
    """Transformer layers across the slices of a joint."""
    dropout: float = 0.2
    """Dropout of tokens and attention, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"network.dropout: expected 0 to below 1, got {self.dropout!r}")
        if self.token_width % self.heads:
            raise ConfigError(f"network.token_width: expected a multiple of heads, got {self.token_width!r}")
        if self.encoder not in ENCODER_NAMES:
            raise ConfigError(f"network.encoder: expected one of {', '.join(ENCODER_NAMES)}, got {self.encoder!r}")


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
