"""Stage one: the decoder learns report language, then is frozen.

It reads radiologists' notes, text of our grammar in all styles, and findings with their text in a style that is
not told. The service's own prompts do not occur: those are the adapter's task.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runtime.errors import ConfigError
from runtime.settings import load_settings
from vlm.build import TOKENIZER_FILE, build_decoder, save_decoder
from vlm.config import VlmConfig, load_preset
from vlm.model import next_token_loss
from vlm.prompt import load_layout
from vlm.tokenizer import ReportTokenizer, load_tokenizer, train_tokenizer
from vlm.training.corpus import CorpusMix, draw_document, load_notes, tokenizer_corpus
from vlm.training.loop import LoopConfig, read_run, run_steps
from vlm.training.packing import Document, PackedRows, pack_rows
from vlm.training.protocols import ProtocolMix, load_protocol_mix

_logger = logging.getLogger(__name__)
DECODER_NAME = "decoder.safetensors"


@dataclass(frozen=True)
class PretrainConfig:
    """The YAML of this stage."""

    stage: str
    """``pretrain``."""
    preset: str
    """Model preset in ``configs/vlm``."""
    protocols: dict[str, float]
    """Body regions of drawn findings, with their shares."""
    out: str
    """Folder of the run."""
    rows: int
    """Rows of a batch."""
    row_length: int
    """Tokens of a row."""
    tokenizer_documents: int
    """Drawn documents that the tokenizer is trained on, beside the notes."""
    threads: int
    """CPU threads."""
    mix: CorpusMix
    """Shares of the kinds of documents."""
    loop: LoopConfig
    """Steps, rates, seed."""


def parse_pretrain(table: dict[str, Any], *, where: str) -> PretrainConfig:
    """Check the YAML of this stage.

    Raises:
        ConfigError: If a key or value is wrong, or the shares of the mix do not sum to 1.
    """
    config = read_run(PretrainConfig, CorpusMix, table, where=where)
    total = config.mix.notes + config.mix.text + config.mix.pairs
    if abs(total - 1.0) > 1e-6:
        raise ConfigError(f"{where}, mix: expected shares that sum to 1, got {total!r}")
    return config


def pretrain(config: PretrainConfig, *, out: Path | None = None, resume: bool = False) -> Path:
    """Train tokenizer and decoder.

    Args:
        config: The stage's configuration.
        out: Folder of the run; None takes the configured one.
        resume: Continue a stopped run.

    Returns:
        The folder with ``tokenizer.json``, ``decoder.safetensors`` and ``pretrain.json``.
    """
    folder = out or Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(config.threads)
    model_config = load_preset(config.preset)
    regions = load_protocol_mix(config.protocols, where="pretrain")
    data_dir = load_settings().data_dir
    notes = load_notes(data_dir, validation=False)
    tokenizer = _make_tokenizer(config, model_config, notes, regions, folder, resume=resume)
    torch.manual_seed(config.loop.seed)
    decoder = build_decoder(model_config, tokenizer)
    draw = _document_drawer(config, model_config, notes, regions, tokenizer)
    held_out = load_notes(data_dir, validation=True)
    validation = {
        "notes_loss": _validation_rows(config, model_config, held_out, regions, tokenizer, "notes"),
        "pairs_loss": _validation_rows(config, model_config, held_out, regions, tokenizer, "pairs"),
    }
    run_steps(
        decoder,
        lambda model, seed: _loss(model, _rows(config, draw(seed), tokenizer)),
        config.loop,
        folder,
        resume=resume,
        evaluate=lambda model: {name: float(_loss(model, rows)) for name, rows in validation.items()},
    )
    save_decoder(decoder, folder / DECODER_NAME)
    summary = {"steps": config.loop.steps, "parameters": sum(item.numel() for item in decoder.parameters())}
    (folder / "pretrain.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return folder


def _make_tokenizer(
    config: PretrainConfig,
    model_config: VlmConfig,
    notes: tuple[str, ...],
    regions: ProtocolMix,
    folder: Path,
    *,
    resume: bool,
) -> ReportTokenizer:
    file = folder / TOKENIZER_FILE
    if resume and file.is_file():
        return load_tokenizer(file)
    texts = tokenizer_corpus(
        config.tokenizer_documents, config.loop.seed, config.mix, notes, load_layout(model_config.prompt), regions
    )
    tokenizer = train_tokenizer(texts, vocabulary=model_config.vocabulary)
    tokenizer.save(file)
    _logger.info("tokenizer: %d entries", len(tokenizer))
    return tokenizer


def _document_drawer(
    config: PretrainConfig,
    model_config: VlmConfig,
    notes: tuple[str, ...],
    regions: ProtocolMix,
    tokenizer: ReportTokenizer,
) -> Callable[[tuple[int, ...]], Callable[[], Document]]:
    """Return seed of a batch -> a source of its documents."""
    layout = load_layout(model_config.prompt)

    def of_batch(seed: tuple[int, ...]) -> Callable[[], Document]:
        rng = np.random.default_rng([config.loop.seed, *seed])
        return lambda: _encode(draw_document(rng, config.mix, notes, layout, regions), tokenizer)

    return of_batch


def _rows(config: PretrainConfig, draw: Callable[[], Document], tokenizer: ReportTokenizer) -> PackedRows:
    return pack_rows(draw, rows=config.rows, length=config.row_length, pad_id=tokenizer.pad_id)


def _validation_rows(
    config: PretrainConfig,
    model_config: VlmConfig,
    notes: tuple[str, ...],
    regions: ProtocolMix,
    tokenizer: ReportTokenizer,
    kind: str,
) -> PackedRows:
    """Return a fixed batch of one kind of document that training never draws."""
    layout = load_layout(model_config.prompt)
    only = CorpusMix(notes=float(kind == "notes"), text=0.0, pairs=float(kind == "pairs"))
    rng = np.random.default_rng([config.loop.seed, 0, 1])
    return _rows(config, lambda: _encode(draw_document(rng, only, notes, layout, regions), tokenizer), tokenizer)


def _encode(document: tuple[str, str], tokenizer: ReportTokenizer) -> Document:
    given = tokenizer.encode(document[0])
    return Document(given + tokenizer.encode(document[1]), first_label=max(1, len(given)))


def _loss(decoder: nn.Module, rows: PackedRows) -> Tensor:
    logits: Tensor = decoder(input_ids=rows.input_ids, position_ids=rows.position_ids, use_cache=False).logits
    return next_token_loss(logits, rows.labels)
