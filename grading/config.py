"""Configuration of the grader: crop geometry and network, as they travel with the weights.

Unknown keys and impossible values fail at load, naming the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anatomy import DISC_LEVELS
from grading.biomarkers import biomarker_names
from grading.heads import HeadInfo, heads_seen, load_heads
from grading.views import View, load_views
from runtime.errors import ConfigError
from runtime.records import as_record, require_positive

ENCODER_NAMES = ("small_cnn", "mobilenet_v3", "efficientnet", "hybrid")
"""Patch encoders that ``grading.encoders`` builds; named here too, because no torch is loaded here."""


@dataclass(frozen=True)
class CropGeometry:
    """The window cut around a level, in units of the local level pitch (see ``grading.crops``)."""

    width_px: int = 96
    """Columns of the crop."""
    height_px: int = 64
    """Rows of the crop."""
    front_pitches: float = 1.5
    """Reach in front of the posterior disc margin."""
    back_pitches: float = 0.6
    """Reach behind it, into the canal."""
    guided: bool = True
    """False gives every level the same window over the whole chain: the ablation of guided crops."""

    @property
    def pixels_per_pitch(self) -> float:
        """Return the sampling density, the same along both axes."""
        return self.width_px / (self.front_pitches + self.back_pitches)

    @property
    def half_height_pitches(self) -> float:
        """Return the reach above and below the posterior disc margin."""
        return self.height_px / self.pixels_per_pitch / 2

    def __post_init__(self) -> None:
        require_positive(self, ("width_px", "height_px", "front_pitches", "back_pitches"), "crops")


@dataclass(frozen=True)
class EncoderConfig:
    """Size of what every grading network has: a patch encoder, tokens, a Transformer across them."""

    encoder: str = "small_cnn"
    """Patch encoder, one of ``grading.encoders.ENCODERS``."""
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels after the stem and after each halving."""
    token_width: int = 128
    """Width of a token: of a level, or of a slice of a joint."""
    heads: int = 4
    """Attention heads across the tokens."""
    layers: int = 2
    """Transformer layers across the tokens; 0 leaves levels alone."""
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
class NetworkConfig(EncoderConfig):
    """Size of the network of discs."""

    sequences: tuple[str, ...] = ("t2", "t1")
    """Sequences it takes, each a slot that may be empty."""
    levels: tuple[str, ...] = ("T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
    """Levels with an embedding, cranial to caudal."""
    views: tuple[str, ...] = ()
    """Windows beside and across the midline (``views.yaml``) that it takes; none by default."""
    boxes: bool = False
    """Whether it also lays a box around cord compression at each level."""
    biomarkers: tuple[str, ...] = ()
    """Names in ``biomarkers.yaml`` that a level's token also takes, in this order; none by default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if odd := [name for name in self.biomarkers if name not in biomarker_names()]:
            raise ConfigError(f"network.biomarkers: expected names among {biomarker_names()!r}, got {odd!r}")
        for level in self.levels:
            if level not in DISC_LEVELS:
                raise ConfigError(f"network.levels: expected C2-C3 to L5-S1, got {level!r}")


@dataclass(frozen=True)
class GraderConfig:
    """What builds a grader and its inputs; saved as ``config.json`` beside the weights."""

    crops: CropGeometry = field(default_factory=CropGeometry)
    """Window around a level."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Network."""
    region: str = "lumbar"
    """Body region: which heads and views there are."""

    @property
    def heads(self) -> tuple[HeadInfo, ...]:
        """Return the heads of the network."""
        return heads_seen(self.region, self.network.views)

    @property
    def views(self) -> tuple[View, ...]:
        """Return the views the network takes, in its order."""
        known = load_views(self.region) if self.network.views else {}
        return tuple(known[name] for name in self.network.views)

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the kinds of series it reads: the sequences of the midline, then those of further views."""
        return tuple(dict.fromkeys([*self.network.sequences, *(view.source for view in self.views)]))

    def head_sources(self, head: HeadInfo) -> tuple[str, ...]:
        """Return the kinds of series that a head reads, in the order of ``sources``."""
        seen = {view.source for view in self.views if view.name in head.views}
        return tuple(name for name in self.sources if name in self.network.sequences or name in seen)

    def __post_init__(self) -> None:
        load_heads(self.region)
        known = load_views(self.region) if self.network.views else {}
        if odd := [name for name in self.network.views if name not in known]:
            raise ConfigError(f"network.views: expected names among {', '.join(known)}, got {odd!r}")


def build_grader_config(table: Mapping[str, Any], where: str) -> GraderConfig:
    """Build a grader's configuration from ``region`` and the sections ``crops`` and ``network``.

    Raises:
        ConfigError: If a section or key is unknown or a value does not fit.
    """
    odd = sorted(set(table) - {"region", "crops", "network"})
    if odd:
        raise ConfigError(f"{where}: unknown sections {', '.join(odd)}; expected region, crops, network")
    return GraderConfig(
        region=str(table.get("region", "lumbar")),
        crops=as_record(CropGeometry, table.get("crops", {}), f"{where}: crops"),
        network=as_record(NetworkConfig, table.get("network", {}), f"{where}: network"),
    )
