"""The tuning loop: accelerate places, accumulates and synchronises; the rest is as for spine-tiny.

A batch is a function of the step, the pass within it and the process, and dropout is re-seeded by them: a run that
is stopped and resumed gives the same weights as one that was not. ``accelerate launch -m cli.main train vlm ...``
runs it on several GPUs (on CPUs, whose torchvision the launcher cannot open, ``python -m torch.distributed.run``).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.training.loop import (
    LoopConfig,
    build_optimiser,
    learning_rate_at,
    load_checkpoint,
    log_step,
    save_checkpoint,
)

LossOf = Callable[[nn.Module, tuple[int, ...]], Tensor]
"""Model, and seed of a batch (step, pass, process) -> loss."""


def open_accelerator(device: str, *, accumulate: int) -> Any:
    """Return accelerate's accelerator on a device.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        accumulate: Passes of an optimiser step.
    """
    allow_torchvision_on_cpu()
    from accelerate import Accelerator

    return Accelerator(cpu=device == "cpu", gradient_accumulation_steps=accumulate)


def tune_steps(
    model: nn.Module,
    loss_of: LossOf,
    config: LoopConfig,
    folder: Path,
    *,
    accelerator: Any,
    resume: bool = False,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
) -> None:
    """Train the parameters of a model that ask for gradients.

    Args:
        model: Trained in place.
        loss_of: Loss of a batch.
        config: Steps, rates, seed.
        folder: Gets ``checkpoint.pt`` and ``log.csv``, from the first process.
        accelerator: From ``open_accelerator``.
        resume: Continue from ``checkpoint.pt`` when it is there.
        evaluate: Called at each checkpoint; its figures go into the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
        torch.manual_seed(config.seed * 1_000_003 + (step * passes + number) * 64 + accelerator.process_index)
        with accelerator.accumulate(model):
            loss = loss_of(model, seed)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(parameters.values(), config.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
        total += float(loss.detach())
    return total / passes


def _evaluate(model: nn.Module, evaluate: Callable[[nn.Module], dict[str, float]] | None) -> dict[str, float]:
    if evaluate is None:
        return {}
    model.eval()
    with torch.no_grad():
        return evaluate(model)
