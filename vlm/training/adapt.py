"""Stage two: the decoder is frozen; adapter and projector learn to turn slots and regions into report text.

Two runs, one after the other: ``adapt_text.yaml`` teaches the slots from findings alone and needs no images;
``adapt.yaml`` goes on from there with the region embeddings of real discs.
"""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anatomy import Protocol, load_protocol
from runtime.errors import ConfigError
from runtime.folds import spider_folds
from runtime.settings import load_settings
from vlm.adapter import attach_adapter
from vlm.build import TOKENIZER_FILE, build_decoder, build_projector, load_decoder_weights
from vlm.config import VlmConfig, load_preset
from vlm.model import ReportWriter, Slots, slots_loss
from vlm.prompt import collate, load_layout
from vlm.tokenizer import REGION, ReportTokenizer, load_tokenizer
from vlm.training.examples import ExampleMix, ExampleSource, draw_examples
from vlm.training.export import export_writer
from vlm.training.loop import CHECKPOINT, LoopConfig, read_run, run_steps
from vlm.training.pretrain import DECODER_NAME
from vlm.training.protocols import load_protocol_mix
from vlm.training.real_findings import Gradings, load_gradings
from vlm.training.regions import RegionCache, cache_regions, load_region_cache

_logger = logging.getLogger(__name__)
EXPORT_NAME = "spine-tiny"


@dataclass(frozen=True)
class AdaptConfig:
    """The YAML of this stage."""

    stage: str
    """``adapt``."""
    preset: str
    """Model preset in ``configs/vlm``."""
    protocol: str
    """Levels and conditions of the real patients."""
    protocols: dict[str, float]
    """Body regions of drawn findings, with their shares."""
    pretrained: str
    """Folder of the pre-training run."""
    start: str
    """Folder of an earlier run of this stage to go on from; empty starts anew."""
    regions: str
    """Cache of region embeddings, made when absent; empty trains without regions."""
    out: str
    """Folder of the run; the weights folder is made in it."""
    batch_size: int
    """Slots of a step."""
    held_out_fold: int
    """SPIDER patients of this fold are never learnt from."""
    threads: int
    """CPU threads."""
    mix: ExampleMix
    """How examples are drawn."""
    loop: LoopConfig
    """Steps, rates, seed."""


def parse_adapt(table: dict[str, Any], *, where: str) -> AdaptConfig:
    """Check the YAML of this stage.

    Raises:
        ConfigError: If a key or value is wrong, or a share is not between 0 and 1.
    """
    return read_run(AdaptConfig, ExampleMix, table, where=where)


def adapt(config: AdaptConfig, *, fold: int | None = None, out: Path | None = None, resume: bool = False) -> Path:
    """Train adapter and projector and write a weights folder.

    Args:
        config: The stage's configuration.
        fold: Held-out fold; None takes the configured one.
        out: Folder of the run; None takes the configured one.
        resume: Continue a stopped run.

    Returns:
        The weights folder.
    """
    folder = out or Path(config.out)
    config = replace(config, held_out_fold=config.held_out_fold if fold is None else fold)
    torch.set_num_threads(config.threads)
    pretrained = Path(config.pretrained)
    tokenizer = load_tokenizer(pretrained / TOKENIZER_FILE)
    protocol = load_protocol(config.protocol)
    cache = _region_cache(config, protocol)
    model_config = _fit_projector(load_preset(config.preset), cache)
    gradings = load_gradings(load_settings().data_dir)
    learnt, held_out = split_patients(gradings, config.held_out_fold)
    torch.manual_seed(config.loop.seed)
    writer = _build(model_config, tokenizer, pretrained / DECODER_NAME, cache, sorted(learnt))
    if config.start:
        start_from(writer, Path(config.start))
    source = _source(config, model_config, protocol, learnt, cache)
    validation = _batch(replace(source, gradings=held_out), tokenizer, model_config, 64, (config.loop.seed, 0, 1))
    run_steps(
        writer,
        lambda model, seed: slots_loss(
            model, _batch(source, tokenizer, model_config, config.batch_size, (config.loop.seed, *seed))
        ),
        config.loop,
        folder,
        resume=resume,
        evaluate=lambda model: {"held_out_loss": float(slots_loss(model, validation))},
    )
    return export_writer(
        folder / EXPORT_NAME,
        writer.eval(),
        model_config,
        decoder_file=pretrained / DECODER_NAME,
        tokenizer_file=pretrained / TOKENIZER_FILE,
        training={**asdict(config.loop), "held_out_fold": config.held_out_fold, "patients": len(learnt)},
        segmentation_checksum=cache.segmentation_checksum or None,
    )


def split_patients(gradings: Gradings, held_out_fold: int) -> tuple[Gradings, Gradings]:
    """Return the gradings to learn from and those of the held-out fold's patients."""
    folds = spider_folds()
    learnt = {patient: rows for patient, rows in gradings.items() if folds[patient] != held_out_fold}
    held_out = {patient: rows for patient, rows in gradings.items() if folds[patient] == held_out_fold}
    return learnt, held_out


def start_from(writer: ReportWriter, folder: Path) -> None:
    """Take over the trained parameters of an earlier run; the projector's constants stay those of this run.

    Raises:
        ConfigError: If the run has no checkpoint, or one of another shape.
    """
    file = folder / CHECKPOINT
    if not file.is_file():
        raise ConfigError(f"start: expected {CHECKPOINT} in {folder}, found nothing; train that run first")
    saved = torch.load(file, weights_only=True)["parameters"]
    own = {name: item for name, item in writer.named_parameters() if item.requires_grad}
    if {name: item.shape for name, item in own.items()} != {name: item.shape for name, item in saved.items()}:
        raise ConfigError(f"start: {folder.name} was trained with another preset or other region embeddings")
    with torch.no_grad():
        for name, item in own.items():
            item.copy_(saved[name])


def _region_cache(config: AdaptConfig, protocol: Protocol) -> RegionCache:
    if not config.regions:
        return RegionCache({}, segmentation_checksum="")
    file = Path(config.regions)
    if file.is_file():
        return load_region_cache(file)
    return cache_regions(load_settings().data_dir, protocol, file)


def _fit_projector(config: VlmConfig, cache: RegionCache) -> VlmConfig:
    """Take T and D of the projector from the embeddings themselves; they belong to the segmentation model."""
    shapes = (item.shape for levels in cache.embeddings.values() for items in levels.values() for item in items)
    kinds, width = next(shapes, (config.projector.region_kinds, config.projector.region_dim))
    return replace(config, projector=replace(config.projector, region_dim=width, region_kinds=kinds))


def _build(
    config: VlmConfig, tokenizer: ReportTokenizer, decoder_file: Path, cache: RegionCache, patients: list[int]
) -> ReportWriter:
    decoder = build_decoder(config, tokenizer)
    load_decoder_weights(decoder, decoder_file)
    projector = build_projector(config, decoder)
    if cache.embeddings:
        mean, deviation = cache.statistics(patients)
        projector.set_statistics(torch.from_numpy(mean), torch.from_numpy(deviation))
    return ReportWriter(attach_adapter(decoder, config.adapter), projector, region_id=tokenizer.special(REGION))


def _source(
    config: AdaptConfig, model_config: VlmConfig, protocol: Protocol, learnt: Gradings, cache: RegionCache
) -> ExampleSource:
    deviation = cache.statistics(sorted(learnt))[1] if cache.embeddings else np.ones((1, 1), dtype=np.float32)
    return ExampleSource(
        mix=config.mix,
        layout=load_layout(model_config.prompt),
        protocol=protocol,
        drawn=load_protocol_mix(config.protocols, where="adapt"),
        gradings=learnt,
        regions=cache,
        deviation=deviation,
        region_tokens=model_config.projector.tokens,
    )


def _batch(
    source: ExampleSource, tokenizer: ReportTokenizer, config: VlmConfig, size: int, seed: tuple[int, ...]
) -> Slots:
    rng = np.random.default_rng(list(seed))
    return collate(draw_examples(source, rng, size), tokenizer, region_dim=config.projector.region_dim)
