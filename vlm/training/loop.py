"""The training loop both stages share: schedule, clipping, log, checkpoint, exact resume.

It runs under accelerate: on a CPU or a GPU, in one process or several, in float32 or in mixed precision
(``ACCELERATE_MIXED_PRECISION=bf16``). Of several processes each draws batches of its own, and the main one writes.

A step's batch is a function of the step's number, and dropout is re-seeded by it, so a run that is stopped and
resumed gives the same weights as one that was not.
"""

import csv
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

_logger = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.pt"


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


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Return the rate of a step (from 0): linear rise, plateau, linear fall to a twentieth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    decay_steps = max(1, round(config.steps * config.decay_share))
    left = (config.steps - step) / decay_steps
    return config.learning_rate * (0.05 + 0.95 * min(1.0, left))


def run_steps(
    model: nn.Module,
    loss_of: Callable[[nn.Module, int], Tensor],
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    evaluate: Callable[[int], dict[str, float]] | None = None,
) -> None:
    """Train the parameters of a model that ask for gradients.

    Args:
        model: Trained in place.
        loss_of: Model as accelerate prepared it, number of the batch -> loss of that batch.
        config: Steps, rates, seed.
        folder: Gets ``checkpoint.pt`` and ``log.csv``.
        resume: Continue from ``checkpoint.pt`` when it is there.
        evaluate: Called with the step number at each checkpoint; its figures go into the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {name: item for name, item in model.named_parameters() if item.requires_grad}
    accelerator = Accelerator()
    prepared, optimiser = accelerator.prepare(model, _build_optimiser(parameters, config))
    start = _load_checkpoint(folder, parameters, optimiser) if resume else 0
    model.train()
    began = time.monotonic()
    for step in range(start, config.steps):
        torch.manual_seed(config.seed * 1_000_003 + step)
        _set_rate(optimiser, learning_rate_at(step, config))
        loss = loss_of(prepared, step * accelerator.num_processes + accelerator.process_index)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(parameters.values(), config.clip_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        is_last = step + 1 == config.steps
        if accelerator.is_main_process and (is_last or (step + 1) % config.checkpoint_every == 0):
            _save_checkpoint(folder, parameters, optimiser, step + 1)
            figures = _evaluate(model, evaluate, step + 1)
            seconds = time.monotonic() - began
            _log(folder, step + 1, float(loss.detach()), learning_rate_at(step, config), seconds, figures)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _build_optimiser(parameters: dict[str, nn.Parameter], config: LoopConfig) -> torch.optim.AdamW:
    matrices = [item for item in parameters.values() if item.ndim >= 2]
    vectors = [item for item in parameters.values() if item.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def _evaluate(model: nn.Module, evaluate: Callable[[int], dict[str, float]] | None, step: int) -> dict[str, float]:
    if evaluate is None:
        return {}
    model.eval()
    with torch.no_grad():
        figures = evaluate(step)
    model.train()
    return figures


def _save_checkpoint(
    folder: Path, parameters: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Write beside, then rename: a stop in the middle leaves the last checkpoint whole."""
    state = {name: item.detach() for name, item in parameters.items()}
    part = folder / "checkpoint.part"
    torch.save({"step": step, "parameters": state, "optimiser": optimiser.state_dict()}, part)
    part.replace(folder / CHECKPOINT)


def _load_checkpoint(folder: Path, parameters: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> int:
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


def _log(folder: Path, step: int, loss: float, rate: float, seconds: float, figures: dict[str, float]) -> None:
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
