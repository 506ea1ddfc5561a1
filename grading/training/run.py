"""Train one fold's grader: ``spinescribe train grading --config configs/grading/train_default.yaml --fold K``.

Each fold trains on the patients of the other folds; a part of them is held out to choose the epoch. One process or
several under accelerate, which also takes mixed precision (``ACCELERATE_MIXED_PRECISION=bf16``). The moving
average of the weights is what is kept. A run writes ``checkpoint.pt`` (to resume), ``history.csv`` and, at the
end, a model folder like those in ``weights/``.
"""

import copy
import csv
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from grading.build import build_network
from grading.heads import HeadInfo
from grading.model import BOX, GradingNetwork
from grading.training.batches import Batch, plain_batch, shuffled_batches
from grading.training.cases import Case
from grading.training.config import RunConfig
from grading.training.losses import box_loss, consistency_loss, multi_task_loss, step_weights
from grading.training.rates import parameter_groups
from runtime.errors import ConfigError

logger = logging.getLogger(__name__)
_WARM_UP_SHARE = 0.15


class FoldRun:
    """State of one training run; everything that a resumed run needs is in ``checkpoint``.

    Args:
        config: The run's configuration.
        cases: Training patients; the choosing part is split off here.
        folder: Where to write.
    """

    def __init__(self, config: RunConfig, cases: tuple[Case, ...], folder: Path) -> None:
        training = config.training
        torch.set_num_threads(training.threads)
        torch.manual_seed(training.seed)
        self.config, self.folder = config, folder
        self.rng = np.random.default_rng(training.seed)
        order = self.rng.permutation(len(cases))
        held = round(training.holdout_share * len(cases))
        self.chooser = tuple(cases[index] for index in order[:held])
        self.cases = tuple(cases[index] for index in order[held:])
        self.weights = step_weights(self.cases, config.grader.heads)
        self.network = build_network(config.grader)
        self.average = copy.deepcopy(self.network).eval()
        self.best = copy.deepcopy(self.average.state_dict())
        self.best_loss = float("inf")
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        encoders = (self.network.encoder, *self.network.view_encoders)
        groups = parameter_groups(self.network, encoders, training.learning_rate, training.rate_decay)
        optimiser = torch.optim.AdamW(groups, weight_decay=training.weight_decay)
        steps = -(-len(self.cases) // training.batch_patients) * training.epochs
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, [group["lr"] for group in groups], total_steps=steps, pct_start=_WARM_UP_SHARE
        )
        self._start_accelerator(optimiser)

    def _start_accelerator(self, optimiser: torch.optim.Optimizer) -> None:
        """Move to the device; with several processes each draws its own order and augmentation."""
        self.accelerator = Accelerator()  # one process, unless accelerate launch started several
        self.model, self.optimiser = self.accelerator.prepare(self.network, optimiser)
        device = self.accelerator.device
        self.average.to(device)
        self.weights = {name: values.to(device) for name, values in self.weights.items()}
        if not self.accelerator.is_main_process:
            self.rng = np.random.default_rng([self.config.training.seed, self.accelerator.process_index])

    def run(self) -> GradingNetwork:
        """Train to the last epoch and return the chosen network in eval mode."""
        self.train_epochs(until=self.config.training.epochs)
        self.average.load_state_dict(self.best)
        return self.average.cpu().eval()

    def train_epochs(self, *, until: int) -> None:
        """Train up to an epoch, keeping the weights that do best on the choosing patients."""
        chooser = plain_batch(self.chooser, self.config.grader) if self.chooser else None
        while self.epoch < until:
            loss = self._train_epoch()
            chosen = (
                loss
                if chooser is None
                else evaluate_loss(self.average, chooser, self.weights, self.config.grader.heads)
            )
            self.epoch += 1
            # Without patients to choose by, the last epoch is kept.
            if chosen <= self.best_loss or chooser is None:
                self.best_loss, self.best = chosen, copy.deepcopy(self.average.state_dict())
            self.history.append({"epoch": self.epoch, "train_loss": loss, "choosing_loss": chosen})
            logger.info("epoch %d: training loss %.4f, choosing loss %.4f", self.epoch, loss, chosen)
            if self.accelerator.is_main_process:
                self.save()

    def _train_epoch(self) -> float:
        self.network.train()
        losses = []
        training, heads = self.config.training, self.config.grader.heads
        copies = 2 if training.consistency > 0 else 1
        for batches in shuffled_batches(self.cases, self.config.grader, training, self.rng, copies):
            graded = [self.model(batch.inputs().to(self.accelerator.device)) for batch in batches]
            parts = [
                _loss(logits, batch, self.weights, heads) for logits, batch in zip(graded, batches, strict=True)
            ]
            loss = torch.stack(parts).mean()
            if copies == 2:
                shown = batches[0].present.any(axis=2) & batches[1].present.any(axis=2)
                seen = torch.from_numpy(shown).to(self.accelerator.device)
                loss = loss + training.consistency * consistency_loss(graded[0], graded[1], seen, heads)
            self.optimiser.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            self._update_average()
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def _update_average(self) -> None:
        """Move the averaged weights; a young average follows faster."""
        step = self.schedule.last_epoch
        decay = min(self.config.training.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
            for kept, new in pairs:
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def save(self) -> None:
        """Write the checkpoint and the history, each whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "best_loss": self.best_loss,
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
        if state["config"] != asdict(self.config):
            raise ConfigError(f"{file}: expected a checkpoint of this configuration; remove it to start anew")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.best, self.best_loss = state["best"], state["best_loss"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.history = state["epoch"], state["history"]
        self.rng.bit_generator.state = state["numpy_rng"]
        torch.set_rng_state(state["torch_rng"])
        if not self.accelerator.is_main_process:  # the checkpoint holds the main process's generator
            rank = self.accelerator.process_index
            self.rng = np.random.default_rng([self.config.training.seed, rank, self.epoch])


def evaluate_loss(
    network: GradingNetwork, batch: Batch, weights: dict[str, Tensor], heads: Sequence[HeadInfo]
) -> float:
    """Return the loss of a network on unaugmented crops."""
    network.eval()
    with torch.inference_mode():
        device = network.level_embedding.device
        return float(_loss(network(batch.inputs().to(device)), batch, weights, heads))


def _loss(
    logits: dict[str, Tensor], batch: Batch, weights: dict[str, Tensor], heads: Sequence[HeadInfo]
) -> Tensor:
    device = next(iter(logits.values())).device
    loss = multi_task_loss(logits, torch.from_numpy(batch.labels).to(device), weights, heads)
    return loss if BOX not in logits else loss + box_loss(logits[BOX], torch.from_numpy(batch.boxes).to(device))


def predict_logits(network: GradingNetwork, batch: Batch) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return head -> logits (B, L, K - 1 or K), or (B, L, 2, K - 1 or K) of a sided head."""
    network.eval()
    with torch.inference_mode():
        logits = network(batch.inputs())
    return {name: value.double().numpy() for name, value in logits.items() if name != BOX}
