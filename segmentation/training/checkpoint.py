"""Checkpoints of a run: written so that a resumed run ends with the weights of an unbroken one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

CHECKPOINT = "checkpoint.pt"


class Average:
    """An exponential moving average of a module's floating-point state.

    Early on the average follows fast: the kept share is at most (1 + n) / (10 + n) after n updates.
    """

    def __init__(self, module: nn.Module, share: float) -> None:
        self.share, self.updates = share, 0
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the module's present weights."""
        self.updates += 1
        keep = min(self.share, (1 + self.updates) / (10 + self.updates))
        state = module.state_dict()
        moving = [name for name, value in state.items() if value.is_floating_point()]
        mix = get_ema_multi_avg_fn(keep)  # type: ignore[no-untyped-call]
        mix([self.values[name] for name in moving], [state[name] for name in moving], None)
        for name in state.keys() - moving:
            self.values[name].copy_(state[name])


def save_checkpoint(folder: Path, state: dict[str, Any], rng: np.random.Generator) -> None:
    """Write a checkpoint, whole or not at all."""
    part = folder / (CHECKPOINT + ".part")
    torch.save({**state, "numpy_rng": rng.bit_generator.state, "torch_rng": torch.get_rng_state()}, part)
    part.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, rng: np.random.Generator) -> dict[str, Any] | None:
    """Read the checkpoint of a folder and set the random generators as they were; None when there is none."""
    file = folder / CHECKPOINT
    if not file.is_file():
        return None
    state: dict[str, Any] = torch.load(file, weights_only=True)
    rng.bit_generator.state = state["numpy_rng"]
    torch.set_rng_state(state["torch_rng"])
    return state
