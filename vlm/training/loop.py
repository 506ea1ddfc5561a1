"""The training loop both stages share: schedule, clipping, log, checkpoint, exact resume.

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
    loss_of: Callable[[int], Tensor],
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    evaluate: Callable[[int], dict[str, float]] | None = None,
) -> None:
    """Train the parameters of a model that ask for gradients.

    Args:
        model: Trained in place.
        loss_of: Step number -> loss of that step's batch.
        config: Steps, rates, seed.
        folder: Gets ``checkpoint.pt`` and ``log.csv``.
        resume: Continue from ``checkpoint.pt`` when it is there.
        evaluate: Called with the step number at each checkpoint; its figures go into the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {name: item for name, item in model.named_parameters() if item.requires_grad}
    optimiser = build_optimiser(parameters, config)
    start = load_checkpoint(folder, parameters, optimiser) if resume else 0
    model.train()
    began = time.monotonic()
    for step in range(start, config.steps):
        torch.manual_seed(config.seed * 1_000_003 + step)
        loss = _step(parameters, optimiser, loss_of, step, config)
        is_last = step + 1 == config.steps
        if is_last or (step + 1) % config.checkpoint_every == 0:
            save_checkpoint(folder, parameters, optimiser, step + 1)
            figures = _evaluate(model, evaluate, step + 1)
            log_step(folder, step + 1, loss, learning_rate_at(step, config), time.monotonic() - began, figures)


def _step(
    parameters: dict[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    loss_of: Callable[[int], Tensor],
    step: int,
    config: LoopConfig,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate_at(step, config)
    loss = loss_of(step)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(parameters.values(), config.clip_norm)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())


def build_optimiser(parameters: dict[str, nn.Parameter], config: LoopConfig) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
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
