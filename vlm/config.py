"""Configuration of the report writer: decoder, adapter, projector and generation, read from a preset YAML.

Presets are ``configs/vlm/<name>.yaml``; the configuration that a model was trained with travels with its
weights as ``config.json``. Configuration stops in ``build.py``: the modules take plain arguments.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from runtime.errors import ConfigError
from runtime.paths import configs_dir


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of the language model (Llama architecture, tied embeddings)."""

    hidden_size: int
    """Width of the residual stream."""
    layers: int
    """Number of transformer blocks."""
    heads: int
    """Attention heads; divides ``hidden_size``."""
    intermediate_size: int
    """Width inside the gated MLP."""
    max_positions: int
    """Longest sequence in tokens, prompt and text together."""


@dataclass(frozen=True)
class AdapterConfig:
    """The low-rank adapter (LoRA) on the frozen decoder."""

    rank: int
    """Rank of each update."""
    alpha: int
    """Scale: an update is ``alpha / rank`` times the product of its factors."""
    dropout: float
    """Dropout on the adapter's input while training, 0 to 1."""
    targets: tuple[str, ...]
    """Names of the linear layers that get an update; never the embeddings."""


@dataclass(frozen=True)
class ProjectorConfig:
    """The resampler from region embeddings to decoder tokens."""

    region_dim: int
    """D of ``segmentation.types.Region.embedding``."""
    region_kinds: int
    """T of ``segmentation.types.Region.embedding``: level, disc, vertebra and canal token."""
    tokens: int
    """Tokens that the regions of one level become in the sequence."""
    heads: int
    """Attention heads of the resampler; divides the decoder's width."""


@dataclass(frozen=True)
class GenerationConfig:
    """How text is drawn: a report greedily, so the same prompt gives the same text; drafts to compare it with by
    seeded sampling."""

    max_new_tokens: int
    """Longest text of one slot, in tokens."""
    batch_size: int
    """Slots written side by side; bounds the memory of a long study."""
    samples: int
    """Drafts that a sentence's consistency is the agreement with."""
    temperature: float
    """Of those drafts."""
    consistency_floor: float
    """Agreement below which a sentence is marked (ours; ``benchmarks.writer.consistency`` looks at it), 0 to 1."""


@dataclass(frozen=True)
class VlmConfig:
    """One preset of the report writer."""

    architecture: str
    """Name in ``vlm.presets``: which builder makes the model."""
    prompt: str
    """Name of the prompt layout, a file of ``vlm/prompts``."""
    vocabulary: int
    """Entries of the tokenizer, special tokens included."""
    decoder: DecoderConfig
    adapter: AdapterConfig
    projector: ProjectorConfig
    generation: GenerationConfig

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)


Part = TypeVar("Part")


def load_preset(name: str) -> VlmConfig:
    """Read ``configs/vlm/<name>.yaml``.

    Raises:
        ConfigError: If there is no such preset, or a key or value of it is wrong.
    """
    file = configs_dir() / "vlm" / f"{name}.yaml"
    if not file.is_file():
        raise ConfigError(f"vlm preset: expected a file {file.name} in configs/vlm, found none")
    return parse_config(yaml.safe_load(file.read_text(encoding="utf-8")), where=file.name)


def parse_config(table: Mapping[str, Any], *, where: str) -> VlmConfig:
    """Build a configuration from a table, checking every key and value.

    Args:
        table: Content of a preset YAML or of ``config.json``.
        where: Name of the file for messages.

    Raises:
        ConfigError: If a key is unknown or missing, a value has the wrong type, or sizes do not fit together.
    """
    parts: dict[str, type[Any]] = {
        "decoder": DecoderConfig,
        "adapter": AdapterConfig,
        "projector": ProjectorConfig,
        "generation": GenerationConfig,
    }
    filled = dict(table)
    for name, part in parts.items():
        if not isinstance(filled.get(name), Mapping):
            raise ConfigError(f"{where}: expected a table under {name!r}, got {filled.get(name)!r}")
        filled[name] = read_table(part, filled[name], where=f"{where}, {name}")
    config = read_table(VlmConfig, filled, where=where)
    _check_sizes(config, where)
    return config


def read_table(part: type[Part], table: Mapping[str, Any], *, where: str) -> Part:
    """Fill a configuration dataclass from a table of plain values.

    Raises:
        ConfigError: If a key is unknown or missing, or a plain value has another type than its field.
    """
    known = {item.name: item.type for item in fields(part)}  # type: ignore[arg-type]
    odd = sorted(set(table) ^ set(known))
    if odd:
        raise ConfigError(f"{where}: unknown or missing keys: {', '.join(odd)}")
    values = {key: _read_value(known[key], value, f"{where}, {key}") for key, value in table.items()}
    return part(**values)


def _read_value(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == tuple[str, ...] and isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    if kind in (int, float, str, bool) and type(value) is not kind:
        raise ConfigError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value


def _check_sizes(config: VlmConfig, where: str) -> None:
    width = config.decoder.hidden_size
    if width % config.decoder.heads or width % config.projector.heads:
        raise ConfigError(
            f"{where}: hidden_size {width} must be a multiple of the decoder's {config.decoder.heads} "
            f"and the projector's {config.projector.heads} heads"
        )
    if config.generation.max_new_tokens >= config.decoder.max_positions:
        raise ConfigError(
            f"{where}: max_new_tokens {config.generation.max_new_tokens} leaves no room for a prompt "
            f"within {config.decoder.max_positions} positions"
        )


def load_training_table(path: Path) -> dict[str, Any]:
    """Read the YAML of a training run.

    Raises:
        ConfigError: If the file is missing or holds no table.
    """
    if not path.is_file():
        raise ConfigError(f"training configuration: expected a YAML file, found nothing at {path.name}")
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise ConfigError(f"{path.name}: expected a table of keys, got {type(table).__name__}")
    return table
