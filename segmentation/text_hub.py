"""A text tower from outside: BiomedCLIP, or any open_clip checkpoint with a transformers text model.

The folder is laid out as ``microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224`` on the hub:
``open_clip_config.json`` (``model_cfg.text_cfg``), the weights of both towers (``open_clip_model.safetensors`` or
``open_clip_pytorch_model.bin``) and the tokenizer's files. That layout has no configuration of the text model
itself; without a ``config.json`` it is BERT-base, as BiomedBERT is, and the weights must fit exactly.
Nothing is fetched unless the user names a hub id.

Source: https://huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224 (open_clip_config.json).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from runtime.errors import ConfigError, WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu

HUB_PREFIX = "hf-hub:"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
_BERT_CONFIG = "config.json"
_STALE = "embeddings.position_ids"  # transformers before 4.31 stored it; it is no weight


class HubTextTower(nn.Module):
    """A frozen text tower from outside with a trained projection to our width.

    Args:
        encoder: open_clip text encoder: tokens to (P, E).
        tokenizer: Phrases to tokens.
        width: E.
        token_dim: Width of the prompt embeddings.
    """

    def __init__(self, encoder: nn.Module, tokenizer: Any, width: int, token_dim: int) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.projection = nn.Linear(width, token_dim, bias=False)

    def train(self, mode: bool = True) -> HubTextTower:
        """Set the mode of the projection; the frozen encoder stays in eval mode (it has dropout)."""
        super().train(mode)
        self.encoder.eval()
        return self

    def tokenize(self, phrases: Sequence[str]) -> Tensor:
        """Turn P phrases into (P, N) tokens, N the longest phrase's: padding that no phrase needs is left out."""
        tokens: Tensor = self.tokenizer(list(phrases))
        longest = int((tokens != self.tokenizer.tokenizer.pad_token_id).sum(dim=1).max())
        return tokens[:, :longest]

    @torch.no_grad()
    def encode(self, phrases: Sequence[str]) -> Tensor:
        """Return what the frozen encoder says of P phrases, (P, E)."""
        encoded: Tensor = self.encoder(self.tokenize(phrases))
        return encoded

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (P, token_dim) embeddings of tokens."""
        with torch.no_grad():
            encoded = self.encoder(tokens)
        embeddings: Tensor = self.projection(encoded)
        return embeddings


class HubPrompts(nn.Module):
    """Prompt embeddings of fixed phrases from a tower outside: the encoder's answers kept, the projection trained.

    With the phrases fixed the encoder is needed once, so that weights trained this way carry no BERT.

    Args:
        encoded: (P, E) from ``HubTextTower.encode``.
        token_dim: Width of the prompt embeddings.
    """

    def __init__(self, encoded: Tensor, token_dim: int) -> None:
        super().__init__()
        self.encoded: Tensor
        self.register_buffer("encoded", encoded.detach().clone())
        self.projection = nn.Linear(encoded.shape[1], token_dim, bias=False)

    def forward(self) -> Tensor:
        """Return (P, token_dim) embeddings."""
        embeddings: Tensor = self.projection(self.encoded)
        return embeddings


def load_hub_tower(source: str, token_dim: int) -> HubTextTower:
    """Load a text tower from a folder or, where the user names one, a hub id.

    Args:
        source: Path of a folder, or ``hf-hub:`` and a repository, which is fetched.
        token_dim: Width of the prompt embeddings; the projection to it begins with random weights.

    Raises:
        ConfigError: If the source is empty or its configuration is not that of a transformers text model.
        WeightsError: If a file is missing or the weights do not fit.
    """
    if not source:
        raise ConfigError("text_source: expected a folder or hf-hub:<repository>, got nothing")
    folder = _fetch(source.removeprefix(HUB_PREFIX)) if source.startswith(HUB_PREFIX) else Path(source)
    values = _read_config(folder)
    encoder = _build_encoder(folder, values)
    _load_text(encoder, folder)
    return HubTextTower(encoder, _load_tokenizer(folder, values), int(values["embed_dim"]), token_dim)


def _fetch(repository: str) -> Path:
    """Download what a tower needs of a repository into the hub's cache."""
    from huggingface_hub import snapshot_download

    wanted = [CONFIG, _BERT_CONFIG, *WEIGHTS, *_TOKENIZER]
    return Path(snapshot_download(repository, allow_patterns=wanted))


def _read_config(folder: Path) -> dict[str, Any]:
    """Return ``embed_dim`` and ``text_cfg`` of the folder."""
    file = folder / CONFIG
    if not file.is_file():
        raise WeightsError(f"text tower: expected {CONFIG} in {folder.name!r}, found none")
    values = json.loads(file.read_text(encoding="utf-8")).get("model_cfg", {})
    if "embed_dim" not in values or "hf_model_name" not in values.get("text_cfg", {}):
        raise ConfigError(
            f"{CONFIG}: expected model_cfg with embed_dim and text_cfg.hf_model_name (a transformers text model), "
            f"got keys {sorted(values)!r}, {sorted(values.get('text_cfg', {}))!r}"
        )
    return dict(values)


def _build_encoder(folder: Path, values: dict[str, Any]) -> nn.Module:
    """Build the text encoder with random weights."""
    allow_torchvision_on_cpu()
    from open_clip.hf_model import HFTextEncoder
    from transformers import BertConfig

    text = values["text_cfg"]
    file = folder / _BERT_CONFIG
    given = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if given.get("model_type", "bert") != "bert":
        raise ConfigError(f"{_BERT_CONFIG}: expected model_type 'bert', got {given['model_type']!r}")
    encoder = HFTextEncoder(
        text["hf_model_name"],
        output_dim=int(values["embed_dim"]),
        config=BertConfig(**given),
        proj_type=text.get("hf_proj_type", text.get("proj")),  # older files write the second
        pooler_type=text.get("hf_pooler_type", text.get("pooler_type")),
    )
    if text.get("hf_pooler_type", text.get("pooler_type")) != "cls_pooler":
        encoder.transformer.pooler = None  # open_clip builds it only for that pooler
    return encoder  # type: ignore[no-any-return]


def _load_text(encoder: nn.Module, folder: Path) -> None:
    """Load the text half of a checkpoint, strictly."""
    file = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        raise WeightsError(f"text tower: expected {' or '.join(WEIGHTS)} in {folder.name!r}, found neither")
    if file.suffix == ".safetensors":
        state = load_file(file)
    else:
        stored: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        state = stored.get("state_dict", stored)
    text = {key.removeprefix("text."): value for key, value in state.items() if key.startswith("text.")}
    text = {key: value for key, value in text.items() if not key.endswith(_STALE)}
    try:
        encoder.load_state_dict(text)
    except RuntimeError as error:
        raise WeightsError(f"text tower: {file.name} does not fit {CONFIG}: {error}"[:500]) from error


def _load_tokenizer(folder: Path, values: dict[str, Any]) -> Any:
    from open_clip.tokenizer import HFTokenizer

    if not any((folder / name).is_file() for name in _TOKENIZER):
        raise WeightsError(f"text tower: expected a tokenizer ({', '.join(_TOKENIZER)}) in {folder.name!r}")
    length = int(values["text_cfg"].get("context_length", 256))
    return HFTokenizer(str(folder), context_length=length, local_files_only=True)
