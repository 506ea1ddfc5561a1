"""Tune a hub preset: low-rank updates by peft, a projector where it has soft tokens, trained by accelerate.

The run's folder gets ``adapter/`` (peft's layout), ``projector.safetensors`` where one was trained,
``preset.yaml`` (the preset with both named, ready for ``--writer``), and ``merged/`` (whole weights) where the
vision part was tuned or it was asked for: servers leave updates on the vision part out.
"""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from anatomy import load_protocol
from runtime.settings import load_settings
from vlm.hub.config import HubConfig, load_hub_config
from vlm.hub.drafter import open_tower, to_model
from vlm.hub.examples import HubMix, HubSource, TalkBatch, draw_batch, slices_by_patient
from vlm.hub.load import merge, open_model
from vlm.hub.prompts import load_instructions
from vlm.hub.soft import SoftTokens, build_soft_tokens, save_soft_tokens
from vlm.hub.source import find_model, read_folder
from vlm.hub.talk import Talker
from vlm.hub.towers import ImageTower
from vlm.model import next_token_loss
from vlm.training.adapt import split_patients
from vlm.training.loop import LoopConfig, open_accelerator, read_run, run_steps
from vlm.training.real_findings import load_gradings
from vlm.training.regions import RegionCache, load_region_cache
from vlm.writers import preset_file

_logger = logging.getLogger(__name__)
ADAPTER, PROJECTOR, PRESET, MERGED = "adapter", "projector.safetensors", "preset.yaml", "merged"


@dataclass(frozen=True)
class TuneConfig:
    """The YAML of this stage."""

    stage: str
    """``adapt-hub``."""
    preset: str
    """Name of a preset of ``configs/vlm``, or a path of a YAML."""
    model: str
    """Folder or hub id in place of the preset's (a hub id named here is fetched); empty: what is installed."""
    protocol: str
    """Levels and conditions."""
    regions: str
    """Cache of region embeddings for soft tokens, made by ``adapt.yaml``; empty trains without."""
    out: str
    """Folder of the run."""
    device: str
    """``auto``, ``cpu`` or ``cuda``."""
    batch_size: int
    """Conversations of a pass."""
    accumulate: int
    """Passes of an optimiser step."""
    gradient_checkpointing: bool
    """Compute activations twice to save memory."""
    write_merged: bool
    """Also write the whole merged model; always done where the vision part is tuned."""
    held_out_fold: int
    """SPIDER patients of this fold are never learnt from."""
    mix: HubMix
    """How batches are drawn."""
    loop: LoopConfig
    """Steps, rates, seed."""


class Trainee(nn.Module):
    """What is trained: a peft model, and the projector of its soft tokens where it has them."""

    def __init__(self, model: Any, soft: SoftTokens | None) -> None:
        super().__init__()
        self.model: Any = model
        self.soft = soft

    def forward(self, batch: dict[str, Tensor], labels: Tensor, embeddings: Any) -> Tensor:
        """Return the mean cross-entropy of the answers' tokens.

        Args:
            batch: Inputs of the model.
            labels: (B, L) int, ``IGNORED`` outside the answers.
            embeddings: Embeddings of each row, for the soft tokens; ignored without them.
        """
        width = labels.shape[1] - int((labels >= 0).any(dim=0).nonzero()[0]) + 1
        if self.soft is None:
            logits = self.model(**batch, use_cache=False, logits_to_keep=width).logits
        else:
            with self.soft.placed(self.model, embeddings):
                logits = self.model(**batch, use_cache=False, logits_to_keep=width).logits
        return next_token_loss(logits.float(), labels[:, -width:])


def parse_tune(table: dict[str, Any], *, where: str) -> TuneConfig:
    """Check the YAML of this stage.

    Raises:
        ConfigError: If a key or value is wrong, or a share is not between 0 and 1.
    """
    return read_run(TuneConfig, HubMix, table, where=where)


def tune(config: TuneConfig, *, fold: int | None = None, out: Path | None = None, resume: bool = False) -> Path:
    """Train adapter and projector.

    Args:
        config: The stage's configuration.
        fold: Held-out fold; None takes the configured one.
        out: Folder of the run; None takes the configured one.
        resume: Continue a stopped run.

    Returns:
        ``preset.yaml`` of the run, for ``--writer``.

    Raises:
        ConfigError: If the preset, its model or its device cannot be had.
    """
    run = out or Path(config.out)
    config = replace(config, held_out_fold=config.held_out_fold if fold is None else fold)
    preset, name = load_hub_config(preset_file(config.preset)), Path(config.preset).stem
    accelerator = open_accelerator(config.device, accumulate=config.accumulate)
    root = load_settings().weights_dir
    folder = find_model(preset.model, home=preset.home, weights_root=root, name=name, named=config.model or None)
    tower = open_tower(preset, root, name)
    torch.manual_seed(config.loop.seed)
    model, talker = open_model(preset, folder, read_folder(folder), device=accelerator.device, name=name)
    source, held_out, checksum = _sources(config, preset, sees=tower is None)
    trainee = _trainee(model, talker, source, gradient_checkpointing=config.gradient_checkpointing)
    eye = None if tower is None else tower.to(accelerator.device)

    def loss_of(module: nn.Module, batch: TalkBatch) -> Tensor:
        loss: Tensor = module(*_inputs(batch, trainee, talker, eye))
        return loss

    validation = [draw_batch(held_out, _rng(config, 0, 0, 1 + n), config.batch_size) for n in range(4)]
    run_steps(
        trainee.to(accelerator.device),
        lambda module, seed: loss_of(module, draw_batch(source, _rng(config, *seed), config.batch_size)),
        config.loop,
        run,
        accelerator=accelerator,
        resume=resume,
        evaluate=lambda module: {"held_out_loss": float(np.mean([float(loss_of(module, b)) for b in validation]))},
    )
    if accelerator.is_main_process:
        _write_run(run, trainee, preset, folder, checksum)
        if config.write_merged or preset.lora.vision:
            write_merged(preset, folder, run / ADAPTER, run / MERGED, name=name)
    accelerator.wait_for_everyone()
    return run / PRESET


def write_merged(preset: HubConfig, folder: Path, adapter: Path, out: Path, *, name: str) -> Path:
    """Write a model with its adapter merged, as a server opens it: weights, processor and chat template."""
    device = torch.device("cpu")
    model, talker = open_model(preset, folder, read_folder(folder), device=device, name=name)
    merge(model, adapter).save_pretrained(str(out))
    talker.save(out)
    return out


def _rng(config: TuneConfig, *seed: int) -> np.random.Generator:
    return np.random.default_rng([config.loop.seed, *seed])


def _trainee(model: Any, talker: Talker, source: HubSource, *, gradient_checkpointing: bool) -> Trainee:
    from peft import LoraConfig, get_peft_model

    lora = source.preset.lora
    if gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets, bias="none"
        ),
    )
    soft = build_soft_tokens(source.preset, model, talker) if source.places else None
    return Trainee(adapted, soft)


def _sources(config: TuneConfig, preset: HubConfig, *, sees: bool) -> tuple[HubSource, HubSource, str]:
    """Return the sources to learn from and to validate on, and the checksum of the regions' network."""
    nothing = RegionCache({}, segmentation_checksum="")
    cache = load_region_cache(Path(config.regions)) if config.regions else nothing
    gradings, slices = {}, {}
    if config.mix.real:
        data = load_settings().data_dir
        gradings, slices = load_gradings(data), slices_by_patient(data) if preset.pictures else {}
    learnt, held_out = split_patients(gradings, config.held_out_fold)
    source = HubSource(
        mix=config.mix,
        preset=preset,
        instructions=load_instructions(preset.prompt),
        protocol=load_protocol(config.protocol),
        gradings=learnt,
        slices=slices,
        regions=cache,
        uses_regions=bool(config.regions),
        sees=sees,
    )
    return source, replace(source, gradings=held_out), cache.segmentation_checksum


def _inputs(
    batch: TalkBatch, trainee: Trainee, talker: Talker, tower: ImageTower | None
) -> tuple[dict[str, Tensor], Tensor, Any]:
    """Return the arguments of ``Trainee.forward``."""
    shown = [item.to_image() for item in batch.pictures]
    encoded = talker.encode(batch.talks, shown if tower is None else [])
    encoded, labels = talker.add_answers(encoded, batch.talks, batch.answers)
    device = trainee.model.device
    seen = batch.embeddings if tower is None else (tower.look(shown),) * len(batch.talks)
    return to_model(encoded, trainee.model), labels.to(device), seen


def _write_run(run: Path, trainee: Trainee, preset: HubConfig, folder: Path, checksum: str) -> None:
    trainee.model.save_pretrained(str(run / ADAPTER), safe_serialization=True)
    (run / ADAPTER / "README.md").unlink(missing_ok=True)  # peft's empty model card
    if trainee.soft is not None:
        save_soft_tokens(trainee.soft, run / PROJECTOR)
    tuned = replace(
        preset,
        model=str(folder.resolve()),
        adapter=ADAPTER,
        projector="" if trainee.soft is None else PROJECTOR,
        segmentation_checksum=checksum,
    )
    table = asdict(tuned)
    del table["home"]
    (run / PRESET).write_text(yaml.safe_dump(table, sort_keys=False, allow_unicode=True), encoding="utf-8")
