"""What builds the region-text model: one frozen record, stored as ``config.json`` beside its weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runtime.errors import ConfigError
from runtime.records import as_record


@dataclass(frozen=True)
class ClipConfig:
    """Shape of the model; the text side is by default the text tower of the segmentation network."""

    embed_dim: int = 128
    """Width of both embeddings; the segmentation network's ``token_dim``."""
    visual_layers: tuple[int, ...] = (1, 2, 2, 1)
    """Blocks of the four stages of the visual tower (open_clip's ModifiedResNet)."""
    visual_width: int = 16
    """Channels of its first stage; the others have 2, 4 and 8 times as many, times 4 at their ends."""
    visual_head_width: int = 64
    """Width of a head of its attention pooling."""
    text_width: int = 128
    """Width of the text tower."""
    text_layers: int = 2
    """Layers of the text tower."""
    text_heads: int = 4
    """Attention heads of the text tower."""
    context_length: int = 16
    """Words of the longest phrase, start and end included."""
    text_source: str = ""
    """A text tower from outside (``segmentation.text_hub``): a folder, or a hub id that is fetched when named; its
    projection to ``embed_dim`` is trained, the rest stays frozen. Empty takes our own tower."""

    def __post_init__(self) -> None:
        if len(self.visual_layers) != 4:
            raise ConfigError(f"visual_layers: expected 4 numbers, got {self.visual_layers!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def clip_config(values: Mapping[str, Any]) -> ClipConfig:
    """Build the record from parsed YAML or JSON.

    Raises:
        ConfigError: If a key is unknown or a value has the wrong type.
    """
    return as_record(ClipConfig, values, "clip")
