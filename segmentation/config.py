"""What builds the segmentation network, and the constants of its preprocessing: one frozen record.

It is stored as ``config.json`` beside the weights, so that the weights and what they expect travel together.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from anatomy.structures import STRUCTURES, Structure
from runtime.errors import ConfigError
from runtime.records import as_record

LEVEL_PHRASE = "posterior margin of the {level} disc"
ARCHITECTURES = ("prompted", "unet", "attention_unet")


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network and of what enters it."""

    architecture: str = "prompted"
    """``prompted`` (Spatial Patch Cross-Attention), or a baseline (``baselines``): ``unet``,
    ``attention_unet``."""
    structures: tuple[str, ...] = ("disc", "vertebra", "spinal_canal")
    """Structures that get a mask, by ``anatomy.Structure`` value."""
    levels: tuple[str, ...] = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
    """Disc levels that get a heat map of their posterior margin."""
    context_slices: int = 0
    """Neighbouring slices on each side that enter with a slice (2.5-D); 0 reads every slice alone."""
    widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    """Channels at strides 1, 2, 4, 8 and 16, the last being the patch grid."""
    token_dim: int = 128
    """Width of the patch tokens and of the prompt embeddings."""
    heads: int = 8
    """Attention heads."""
    mask_dim: int = 16
    """Width of a pixel embedding at full resolution."""
    level_dim: int = 32
    """Width of a pixel embedding at stride 4, where level maps are made."""
    use_cross_attention: bool = True
    """False builds the baseline: learned prompt embeddings that never look at the image."""
    look_dropout: float = 0.0
    """Chance that an image is asked by its prompts as they come, in training; above 0 what they saw enters through
    a gate. 0 asks by what they saw alone."""
    vocabulary: str = "vocabulary.txt"
    """The words of our own text tower, a file beside ``text_tower.py``."""
    text_source: str = ""
    """A text tower from outside: a folder, or ``hf-hub:`` and a hub id (``segmentation.text_hub``); empty takes
    our own."""
    text_width: int = 128
    """Width of the text tower."""
    text_layers: int = 2
    """Layers of the text tower."""
    text_heads: int = 4
    """Attention heads of the text tower."""
    context_length: int = 16
    """Words of the longest phrase, start and end included."""
    long_side_px: int = 512
    """Training slices are scaled, isotropic where the spacing is known, to this many pixels of long side."""
    view_sides_px: tuple[int, ...] = (416, 352)
    """Prediction looks at each slice once per number, scaled to it, and averages: training crops show most
    slices smaller than ``long_side_px``, and that is what the network knows best."""
    view_gammas: tuple[float, ...] = (1.0, 0.7)
    """Exponent on the grey values (0 to 1) of each of these views; below 1 lifts the dark half."""
    view_flips: tuple[bool, ...] = (False, False)
    """Whether a view is mirrored, left and right columns exchanged: for planes where both are alike, never for
    sagittal slices."""
    low_percentile: float = 1.0
    """Grey value at this percentile becomes 0 ..."""
    high_percentile: float = 99.0
    """... and at this one 1; outside is clipped."""

    def __post_init__(self) -> None:
        known = {structure.value for structure in Structure}
        if unknown := [name for name in self.structures if name not in known]:
            raise ConfigError(f"structures: expected names of anatomy.Structure, got {unknown!r}")
        if len(self.widths) != 5:
            raise ConfigError(f"widths: expected 5 numbers (strides 1, 2, 4, 8, 16), got {self.widths!r}")
        views = (self.view_sides_px, self.view_gammas, self.view_flips)
        if not self.view_sides_px or len({len(values) for values in views}) != 1:
            raise ConfigError(
                f"view_sides_px, view_gammas and view_flips: expected as many of each, got {views!r}"
            )
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(f"architecture: expected one of {ARCHITECTURES!r}, got {self.architecture!r}")
        if self.context_slices not in (0, 1):
            raise ConfigError(f"context_slices: expected 0 or 1, got {self.context_slices}")
        if self.token_dim % self.heads or self.token_dim % 4:
            raise ConfigError(
                f"token_dim: expected a multiple of heads ({self.heads}) and of 4, got {self.token_dim}"
            )

    @property
    def slices(self) -> int:
        """Return how many slices enter with each: its own and its neighbours."""
        return 1 + 2 * self.context_slices

    @property
    def phrases(self) -> tuple[str, ...]:
        """Words of all prompts: the structures, then the levels."""
        named = (STRUCTURES[Structure(name)].phrase for name in self.structures)
        return (*named, *(LEVEL_PHRASE.format(level=level) for level in self.levels))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """Build the record from parsed YAML or JSON.

    Raises:
        ConfigError: If a key is unknown or a value has the wrong type.
    """
    return as_record(NetworkConfig, values, "network")
