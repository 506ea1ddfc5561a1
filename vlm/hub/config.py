"""Configuration of a hub preset, read from ``configs/vlm/<name>.yaml`` or from a YAML that training wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import ConfigError
from vlm.config import load_training_table, read_table

ARCHITECTURE = "hub"
SEES, TEXT_ONLY = "image-text-to-text", "text-generation"
SOFT_SOURCES = ("regions", "image_tower")
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Needs:
    """What a model needs; shown where it does not fit, and in docs/writers.md."""

    parameters_millions: int
    """Parameters of the whole model, as its card gives them."""
    memory_gib: Mapping[str, float]
    """Data type -> memory for weights and a fifth more for the rest; computed, not measured."""
    device: str
    """``cpu`` when a CPU is enough for a report within minutes, else ``cuda``."""


@dataclass(frozen=True)
class LoraConfig:
    """The low-rank adapter."""

    rank: int
    """Rank of each update."""
    alpha: int
    """Scale: an update is ``alpha / rank`` times the product of its factors."""
    dropout: float
    """Dropout on the adapter's input while training, 0 to 1."""
    language: str
    """Regular expression that the full names of the language model's tuned layers match."""
    vision: str
    """The same for the vision part; empty leaves it alone. What is tuned here must be merged before serving."""

    @property
    def targets(self) -> str:
        """Return one expression for all tuned layers."""
        return f"({self.language})|({self.vision})" if self.vision else self.language


@dataclass(frozen=True)
class SoftConfig:
    """Tokens made of embeddings from outside: of regions, or of an image tower of open_clip."""

    source: str
    """``regions`` (segmentation's, of the slot's levels) or ``image_tower`` (patches of the pictures)."""
    token: str
    """An entry of the model's tokenizer that no prompt uses; holds the places."""
    tokens: int
    """Places of one slot."""
    dim: int
    """Width of an embedding: 128 of a region, 768 of a patch of ViT-B."""
    kinds: int
    """Kinds of embedding: 4 of a region; the number of patches of a picture."""
    heads: int
    """Attention heads of the resampler; divides the model's width."""
    tower: str
    """Folder or hub id of the image tower; empty for regions."""


@dataclass(frozen=True)
class HubGeneration:
    """How text is drawn: always greedy."""

    max_new_tokens: int
    """Longest text of one slot, in tokens."""
    batch_size: int
    """Slots written side by side."""


@dataclass(frozen=True)
class HubConfig:
    """One hub preset."""

    architecture: str
    """``hub``."""
    model: str
    """Hub id, or a folder (relative to the YAML's own)."""
    model_type: str
    """What the model's ``config.json`` must say: another class means another prompt and another tower."""
    licence: str
    """Licence of the hub model, which is not ours."""
    kind: str
    """``image-text-to-text``, or ``text-generation`` for a model without eyes."""
    prompt: str
    """Instructions, a file of ``vlm/prompts``."""
    chat_template: str
    """Jinja template of the conversation; empty takes the processor's own."""
    system_turn: bool
    """False puts the instructions before the first question: the template knows no system turn."""
    pictures: int
    """Key slices shown with each slot; 0 shows none."""
    picture_options: Mapping[str, Any]
    """Options of the model's own image processor, such as ``do_image_splitting``."""
    dtype: Mapping[str, str]
    """Device type -> data type of the weights."""
    needs: Needs
    lora: LoraConfig
    generation: HubGeneration
    soft: SoftConfig | None = None
    """Tokens from embeddings; used once a projector was trained."""
    adapter: str = ""
    """Folder of the trained adapter, relative to the YAML; empty for the bare model."""
    projector: str = ""
    """File of the trained projector, relative to the YAML; empty for none."""
    segmentation_checksum: str = ""
    """Segmentation weights whose region embeddings the projector understands."""
    home: Path = field(default=Path(), compare=False)
    """Folder of the YAML; not a key of it."""


_PARTS: dict[str, type[Any]] = {
    "needs": Needs,
    "lora": LoraConfig,
    "generation": HubGeneration,
    "soft": SoftConfig,
}
_OPTIONAL = {"soft": None, "adapter": "", "projector": "", "segmentation_checksum": ""}


def load_hub_config(file: Path) -> HubConfig:
    """Read a hub preset.

    Raises:
        ConfigError: If the file is missing, or a key or value is wrong.
    """
    return parse_hub_config(load_training_table(file), where=file.name, home=file.parent)


def parse_hub_config(table: Mapping[str, Any], *, where: str, home: Path) -> HubConfig:
    """Build the configuration from a table, checking every key and value.

    Args:
        table: Content of the YAML.
        where: Name of the file for messages.
        home: Folder that relative paths start from.

    Raises:
        ConfigError: If a key is unknown or missing, or a value cannot be.
    """
    filled = {**_OPTIONAL, **table, "home": home}
    for name, part in _PARTS.items():
        if filled.get(name) is None and name in _OPTIONAL:
            continue
        if not isinstance(filled.get(name), Mapping):
            raise ConfigError(f"{where}: expected a table under {name!r}, got {filled.get(name)!r}")
        filled[name] = read_table(part, filled[name], where=f"{where}, {name}")
    config = read_table(HubConfig, filled, where=where)
    _check(config, where)
    return config


def _check(config: HubConfig, where: str) -> None:
    _one_of(config.architecture, (ARCHITECTURE,), f"{where}, architecture")
    _one_of(config.kind, (SEES, TEXT_ONLY), f"{where}, kind")
    for device, name in config.dtype.items():
        _one_of(device, ("cpu", "cuda"), f"{where}, dtype")
        _one_of(name, DTYPES, f"{where}, dtype, {device}")
    if config.pictures and config.kind == TEXT_ONLY and not _has_tower(config):
        raise ConfigError(f"{where}, pictures: a model without eyes sees none unless soft.source is image_tower")
    if config.soft is not None:
        _one_of(config.soft.source, SOFT_SOURCES, f"{where}, soft, source")
        if (config.soft.source == "image_tower") != bool(config.soft.tower):
            raise ConfigError(f"{where}, soft, tower: expected a tower for source image_tower, and only for it")


def _has_tower(config: HubConfig) -> bool:
    return config.soft is not None and config.soft.source == "image_tower"


def _one_of(value: str, known: tuple[str, ...], where: str) -> None:
    if value not in known:
        raise ConfigError(f"{where}: expected {' or '.join(known)}, got {value!r}")
