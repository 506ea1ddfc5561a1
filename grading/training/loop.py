"""The training loop of a grading network, whatever it reads: moving average, choice of the epoch, exact resume.

One process or several under accelerate, which takes mixed precision (``ACCELERATE_MIXED_PRECISION=bf16``) and
finds a GPU. Of several, each draws its own order and augmentation, and the main one writes.

Who trains supplies the network, the losses of an epoch's batches and the loss on a choosing part; the loop owns
the optimiser, the schedule, the averaged weights that are kept, and the files: ``checkpoint.pt`` and
``history.csv``.
"""

import copy
import csv
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from grading.training.optimisation import OptimisationConfig
from runtime.errors import ConfigError

logger = logging.getLogger(__name__)
_WARM_UP_SHARE = 0.15

Network = TypeVar("Network", bound=nn.Module)


class TrainingLoop(Generic[Network]):
    """State of one training run; everything that a resumed run needs is in its checkpoint.

    Args:
        network: With fresh weights.
        groups: The optimiser's parameter groups, each with its rate ``lr``.
        settings: Of the run.
        steps_per_epoch: Batches of an epoch.
        rng: Draws order and augmentation; its state is kept for resuming.
        folder: Where to write.
        identity: What must be the same for a checkpoint to be resumed, ready for comparison.
    """

    def __init__(
        self,
        network: Network,
        groups: list[dict[str, Any]],
        settings: OptimisationConfig,
        *,
        steps_per_epoch: int,
        rng: np.random.Generator,
        folder: Path,
        identity: Mapping[str, Any],
    ) -> None:
        self.network, self.settings, self.folder, self.rng = network, settings, folder, rng
        self.identity = dict(identity)
        self.average = copy.deepcopy(network).eval()
        self.best = copy.deepcopy(self.average.state_dict())
        self.best_loss, self.best_epoch, self.epoch = float("inf"), 0, 0
        self.history: list[dict[str, float]] = []
        optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            [group["lr"] for group in groups],
            total_steps=steps_per_epoch * settings.epochs,
            pct_start=_WARM_UP_SHARE,
        )
        self.accelerator = Accelerator()
        self.model, self.optimiser = self.accelerator.prepare(network, optimiser)
        self.average.to(self.accelerator.device)
        self._draw_apart()

    @property
    def device(self) -> torch.device:
        """Return where the network is trained."""
        device: torch.device = self.accelerator.device
        return device

    def run(
        self,
        losses: Callable[[nn.Module], Iterator[Tensor]],
        choose: Callable[[Network], float] | None,
        *,
        until: int | None = None,
    ) -> Network:
        """Train to the last epoch, or until the choosing loss has not fallen for ``patience`` epochs.

        Args:
            losses: Yields the loss of each batch of one epoch; it is given the network as accelerate prepared it.
            choose: Loss of the averaged network on patients held out to choose the epoch; without it the last
                epoch is kept.
            until: Epoch to break off at; None goes on to the end.

        Returns:
            The chosen network in eval mode.
        """
        last = self.settings.epochs if until is None else until
        while self.epoch < last and not self._is_stale():
            loss = self._train_epoch(losses)
            chosen = loss if choose is None else choose(self.average)
            self.epoch += 1
            if chosen <= self.best_loss or choose is None:
                self.best_loss, self.best_epoch = chosen, self.epoch
                self.best = copy.deepcopy(self.average.state_dict())
            self.history.append({"epoch": self.epoch, "train_loss": loss, "choosing_loss": chosen})
            logger.info("epoch %d: training loss %.4f, choosing loss %.4f", self.epoch, loss, chosen)
            if self.accelerator.is_main_process:
                self.save()
        self.average.load_state_dict(self.best)
        return self.average.cpu().eval()

    def _is_stale(self) -> bool:
        return self.epoch - self.best_epoch >= self.settings.patience

    def _train_epoch(self, losses: Callable[[nn.Module], Iterator[Tensor]]) -> float:
        self.network.train()
        seen = []
        for loss in losses(self.model):
            self.optimiser.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            self._update_average()
            seen.append(float(loss.detach()))
        return float(np.mean(seen))

    def _update_average(self) -> None:
        """Move the averaged weights; a young average follows faster."""
        step = self.schedule.last_epoch
        decay = min(self.settings.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
            for kept, new in pairs:
                if kept.is_floating_point():
                    kept.lerp_(new.to(kept.device), 1 - decay)
                else:
                    kept.copy_(new)

    def save(self) -> None:
        """Write the checkpoint and the history, each whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "identity": self.identity,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "history": self.history,
            "numpy_rng": self.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
        }
        partial = self.folder / "checkpoint.pt.part"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")
        with (self.folder / "history.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["epoch", "train_loss", "choosing_loss"])
            writer.writeheader()
            writer.writerows(self.history)

    def resume(self) -> None:
        """Go on from the checkpoint; a missing one starts from the beginning.

        Raises:
            ConfigError: If the checkpoint was made with another configuration.
        """
        file = self.folder / "checkpoint.pt"
        if not file.is_file():
            return
        state: dict[str, Any] = torch.load(file, weights_only=False)
        if state["identity"] != self.identity:
            raise ConfigError(f"{file}: expected a checkpoint of this configuration; remove it to start anew")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.best, self.best_loss, self.best_epoch = state["best"], state["best_loss"], state["best_epoch"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.history = state["epoch"], state["history"]
        self.rng.bit_generator.state = state["numpy_rng"]
        torch.set_rng_state(state["torch_rng"])
        self._draw_apart()

    def _draw_apart(self) -> None:
        """Let every process but the main one, whose generator the checkpoint holds, draw from its own."""
        if not self.accelerator.is_main_process:
            rank = self.accelerator.process_index
            self.rng = np.random.default_rng([self.settings.seed, rank, self.epoch])
