"""From a configuration to networks, and from a weights folder to a writer that is ready to read.

A weights folder holds ``model.safetensors`` (decoder, stored in float16), ``tokenizer.json``, ``config.json``,
``adapter/`` (peft's layout) and ``projector.safetensors``. Computation is always in float32: half precision is
slower on a CPU, and float32 keeps texts the same on every machine.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from runtime.errors import WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.adapter import merge_adapter
from vlm.config import VlmConfig, parse_config
from vlm.model import ReportWriter
from vlm.projector import RegionProjector
from vlm.tokenizer import REGION, ReportTokenizer, load_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

DECODER_FILE = "model.safetensors"
PROJECTOR_FILE = "projector.safetensors"
TOKENIZER_FILE = "tokenizer.json"
ADAPTER_FOLDER = "adapter"
STORED_DTYPE = torch.float16


@dataclass(frozen=True)
class LoadedWriter:
    """A writer in evaluation mode with what it needs to read and write text."""

    writer: ReportWriter
    tokenizer: ReportTokenizer
    config: VlmConfig


def build_decoder(config: VlmConfig, tokenizer: ReportTokenizer) -> "LlamaForCausalLM":
    """Build the decoder with random weights: a Llama with tied embeddings."""
    allow_torchvision_on_cpu()  # transformers' configuration module imports torchvision
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = config.decoder
    llama = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.max_positions,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_id,
        eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id,
    )
    return LlamaForCausalLM(llama)


def build_projector(config: VlmConfig, decoder: nn.Module) -> RegionProjector:
    """Build the projector with random weights, its output as large as the decoder's embeddings."""
    embeddings: torch.Tensor = decoder.get_input_embeddings().weight  # type: ignore[operator]
    return RegionProjector(
        region_dim=config.projector.region_dim,
        kinds=config.projector.region_kinds,
        tokens=config.projector.tokens,
        width=config.decoder.hidden_size,
        heads=config.projector.heads,
        scale=float(embeddings.detach().float().pow(2).mean().sqrt()),
    )


def build_writer(config: VlmConfig, tokenizer: ReportTokenizer) -> ReportWriter:
    """Build a whole writer with random weights."""
    decoder = build_decoder(config, tokenizer)
    return ReportWriter(decoder, build_projector(config, decoder), region_id=tokenizer.special(REGION))


def load_writer(folder: Path, *, device: torch.device, use_adapter: bool = True) -> LoadedWriter:
    """Load a trained writer, its adapter merged.

    Args:
        folder: A weights folder, as this module's docstring describes.
        device: Where it computes.
        use_adapter: False leaves the bare pre-trained decoder, for comparison.

    Raises:
        WeightsError: If a file is missing or does not fit the configuration.
    """
    table: dict[str, Any] = json.loads(_require(folder, "config.json").read_text(encoding="utf-8"))
    config = parse_config(table["model"], where=f"{folder.name}/config.json")
    tokenizer = load_tokenizer(_require(folder, TOKENIZER_FILE))
    decoder = build_decoder(config, tokenizer)
    load_decoder_weights(decoder, _require(folder, DECODER_FILE))
    if use_adapter:
        merge_adapter(decoder, folder / ADAPTER_FOLDER)
    projector = build_projector(config, decoder)
    _load_strictly(projector, _require(folder, PROJECTOR_FILE))
    writer = ReportWriter(decoder, projector, region_id=tokenizer.special(REGION))
    return LoadedWriter(writer=writer.eval().to(device), tokenizer=tokenizer, config=config)


def save_decoder(decoder: nn.Module, file: Path) -> None:
    """Write a decoder's weights, the tied output layer left out."""
    state = {
        name: value.detach().to(STORED_DTYPE).cpu().contiguous()
        for name, value in decoder.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(state, file)


def load_decoder_weights(decoder: nn.Module, file: Path) -> None:
    """Load what ``save_decoder`` wrote, in float32.

    Raises:
        WeightsError: If a weight is missing, unknown or of another shape.
    """
    state = {name: value.float() for name, value in load_file(file).items()}
    if "model.embed_tokens.weight" in state:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    _load_state(decoder, state, file)


def save_projector(projector: RegionProjector, file: Path) -> None:
    """Write a projector's weights and its standardisation constants."""
    state = {name: value.detach().cpu().contiguous() for name, value in projector.state_dict().items()}
    save_file({name: value.to(STORED_DTYPE) for name, value in state.items()}, file)


def _load_strictly(module: nn.Module, file: Path) -> None:
    _load_state(module, {name: value.float() for name, value in load_file(file).items()}, file)


def _load_state(module: nn.Module, state: dict[str, torch.Tensor], file: Path) -> None:
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{file.parent.name}/{file.name}: weights do not fit config.json: {error}") from error


def _require(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        raise WeightsError(f"weights {folder.name!r}: {name} is missing; restore it or train the model")
    return file
