"""The training loop of every writer: schedule, clipping, log, checkpoint, exact resume.

Accelerate places, accumulates and synchronises: on a CPU or GPUs, in one process or several, in float32 or in
mixed precision (``ACCELERATE_MIXED_PRECISION=bf16``). A batch is a function of the step, the pass within it and
the process, and dropout is re-seeded by them: a run that is stopped and resumed gives the same weights as one that
was not. ``accelerate launch -m cli.main train vlm ...`` runs it on several GPUs (on CPUs, whose torchvision the
launcher cannot open, ``python -m torch.distributed.run``).
"""

import csv
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from runtime.errors import ConfigError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.config import read_table

_logger = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.pt"
_APART = 1_000_000_007
"""Between the dropout seeds of passes and processes: larger than any step's."""
_PASSES = 64

LossOf = Callable[[nn.Module, tuple[int, ...]], Tensor]
"""Model, and seed of a batch (step, pass, process) -> loss."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast."""

    steps: int
    """Optimiser steps of the whole run."""
    learning_rate: float
    """Highest rate."""
    warmup_steps: int
    """Steps of linear rise from 0."""
    decay_share: float
    """Last share of the run in which the rate falls linearly to a twentieth, 0 to 1."""
    weight_decay: float
    """Decoupled weight decay of matrices."""
    clip_norm: float
    """Largest gradient norm."""
    checkpoint_every: int
    """Steps between checkpoints."""
    seed: int
    """Seed of batches and dropout."""


Run = TypeVar("Run")


def read_run(kind: type[Run], mix: type[Any], table: Mapping[str, Any], *, where: str) -> Run:
    """Build a stage's configuration from its YAML: flat keys, shares under ``mix``, ``LoopConfig`` under ``loop``.

    Raises:
        ConfigError: If a key or value is wrong, or a share of the mix is not between 0 and 1.
    """
    filled = dict(table)
    filled["mix"] = read_table(mix, table.get("mix", {}), where=f"{where}, mix")
    filled["loop"] = read_table(LoopConfig, table.get("loop", {}), where=f"{where}, loop")
    for name, share in asdict(filled["mix"]).items():
        if not 0.0 <= share <= 1.0:
            raise ConfigError(f"{where}, mix, {name}: expected a share from 0 to 1, got {share!r}")
    return read_table(kind, filled, where=where)


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Return the rate of a step (from 0): linear rise, plateau, linear fall to a twentieth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    decay_steps = max(1, round(config.steps * config.decay_share))
    left = (config.steps - step) / decay_steps
    return config.learning_rate * (0.05 + 0.95 * min(1.0, left))


def open_accelerator(device: str = "auto", *, accumulate: int = 1) -> Any:
    """Return accelerate's accelerator on a device.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        accumulate: Passes of an optimiser step.
    """
    allow_torchvision_on_cpu()
    from accelerate import Accelerator

    return Accelerator(cpu=device == "cpu", gradient_accumulation_steps=accumulate)


def run_steps(
    model: nn.Module,
    loss_of: LossOf,
    config: LoopConfig,
    folder: Path,
    *,
    accelerator: Any = None,
    resume: bool = False,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
) -> None:
    """Train the parameters of a model that ask for gradients.

    Args:
        model: Trained in place.
        loss_of: Loss of a batch, of the model as accelerate prepared it.
        config: Steps, rates, seed.
        folder: Gets ``checkpoint.pt`` and ``log.csv``, from the first process.
        accelerator: From ``open_accelerator``; None opens one.
        resume: Continue from ``checkpoint.pt`` when it is there.
        evaluate: Called with the model at each checkpoint; its figures go into the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = accelerator or open_accelerator()
    parameters = {name: item for name, item in model.named_parameters() if item.requires_grad}
    optimiser = build_optimiser(parameters, config)
    start = load_checkpoint(folder, parameters, optimiser) if resume else 0
    prepared, stepper = accelerator.prepare(model, optimiser)
    began = time.monotonic()
    for step in range(start, config.steps):
        for group in stepper.param_groups:
            group["lr"] = learning_rate_at(step, config)
        loss = _step(prepared, stepper, loss_of, step, config, accelerator, parameters)
        is_last = step + 1 == config.steps
        if accelerator.is_main_process and (is_last or (step + 1) % config.checkpoint_every == 0):
            save_checkpoint(folder, parameters, stepper.optimizer, step + 1)
            figures = _evaluate(model, evaluate)
            log_step(folder, step + 1, loss, learning_rate_at(step, config), time.monotonic() - began, figures)
    accelerator.wait_for_everyone()


def _step(
    model: nn.Module,
    optimiser: Any,
    loss_of: LossOf,
    step: int,
    config: LoopConfig,
    accelerator: Any,
    parameters: dict[str, nn.Parameter],
) -> float:
    """Take one optimiser step over all its passes; return their mean loss."""
    model.train()
    total = 0.0
    passes = int(accelerator.gradient_accumulation_steps)
    for number in range(passes):
        seed = (step, number, accelerator.process_index)
        torch.manual_seed(config.seed * 1_000_003 + step + _APART * (number + _PASSES * accelerator.process_index))
        with accelerator.accumulate(model):
            loss = loss_of(model, seed)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(parameters.values(), config.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
        total += float(loss.detach())
    return total / passes


def build_optimiser(parameters: dict[str, nn.Parameter], config: LoopConfig) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
    matrices = [item for item in parameters.values() if item.ndim >= 2]
    vectors = [item for item in parameters.values() if item.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def _evaluate(model: nn.Module, evaluate: Callable[[nn.Module], dict[str, float]] | None) -> dict[str, float]:
    if evaluate is None:
        return {}
    model.eval()
    with torch.no_grad():
        return evaluate(model)


def save_checkpoint(
    folder: Path, parameters: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Write beside, then rename: a stop in the middle leaves the last checkpoint whole."""
    state = {name: item.detach() for name, item in parameters.items()}
    part = folder / "checkpoint.part"
    torch.save({"step": step, "parameters": state, "optimiser": optimiser.state_dict()}, part)
    part.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, parameters: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> int:
    """Take over a run's parameters and optimiser; return how many steps it has done, 0 without a checkpoint."""
    file = folder / CHECKPOINT
    if not file.is_file():
        return 0
    saved = torch.load(file, weights_only=True)
    with torch.no_grad():
        for name, item in parameters.items():
            item.copy_(saved["parameters"][name])
    optimiser.load_state_dict(saved["optimiser"])
    step = int(saved["step"])
    _logger.info("resumed at step %d", step)
    return step


def log_step(folder: Path, step: int, loss: float, rate: float, seconds: float, figures: dict[str, float]) -> None:
    """Add a line to ``log.csv`` of a run."""
    row = {"step": step, "loss": f"{loss:.4f}", "learning_rate": f"{rate:.3g}", "seconds": f"{seconds:.0f}"}
    row |= {name: f"{value:.4f}" for name, value in figures.items()}
    _logger.info("%s", row)
    file = folder / "log.csv"
    is_new = not file.is_file()
    with file.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)
