"""Train one fold's grader: ``spinescribe train grading --config configs/grading/train_lumbar.yaml --fold K``.

Each fold trains on the patients of the other folds; a part of them is held out to choose the epoch. The loop
itself, its files and what accelerate adds are ``grading.training.loop``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grading.build import build_network
from grading.config import GraderConfig
from grading.heads import HeadInfo, label_columns
from grading.model import BOX, GradingNetwork
from grading.training.batches import Batch, plain_batch, shuffled_batches
from grading.training.cases import Case
from grading.training.config import RunConfig
from grading.training.loop import TrainingLoop
from grading.training.losses import box_loss, consistency_loss, multi_task_loss, step_weights
from grading.training.rates import parameter_groups


class FoldRun:
    """One training run.

    Args:
        config: The run's configuration.
        cases: Training patients; the choosing part is split off here.
        folder: Where to write.
        kind: What the network learns (``grading.training.config.MEMBER_KINDS``).

    Attributes:
        loop: Its state.
    """

    def __init__(self, config: RunConfig, cases: tuple[Case, ...], folder: Path, kind: str = "all") -> None:
        training, keys = config.training, member_heads(config.grader, kind)
        cases = cases if kind == "all" else _midline_cases(cases, config.grader, keys)
        torch.set_num_threads(training.threads)
        torch.manual_seed(training.seed)
        self.config = config
        rng = np.random.default_rng(training.seed)
        order = rng.permutation(len(cases))
        held = round(training.holdout_share * len(cases))
        self.chooser = tuple(cases[index] for index in order[:held])
        self.cases = tuple(cases[index] for index in order[held:])
        network = build_network(config.grader, keys)
        encoders = (network.encoder, *network.view_encoders)
        self.loop: TrainingLoop[GradingNetwork] = TrainingLoop(
            network,
            parameter_groups(network, encoders, training.learning_rate, training.rate_decay),
            training,
            steps_per_epoch=-(-len(self.cases) // training.batch_patients),
            rng=rng,
            folder=folder,
            identity=asdict(config) | {"kind": kind},
        )
        weights = step_weights(self.cases, config.grader.heads)
        self.weights = {name: values.to(self.loop.device) for name, values in weights.items()}

    def resume(self) -> None:
        """Go on from the checkpoint; see ``TrainingLoop.resume``."""
        self.loop.resume()

    def run(self, *, until: int | None = None) -> GradingNetwork:
        """Train to the last epoch (or break off at one) and return the chosen network in eval mode."""
        if not self.chooser:
            return self.loop.run(self._losses, None, until=until)
        chooser, heads = plain_batch(self.chooser, self.config.grader), self.config.grader.heads
        return self.loop.run(
            self._losses, lambda network: evaluate_loss(network, chooser, self.weights, heads), until=until
        )

    def _losses(self, model: nn.Module) -> Iterator[Tensor]:
        """Yield the loss of each batch of an epoch."""
        training, heads, device = self.config.training, self.config.grader.heads, self.loop.device
        copies = 2 if training.consistency > 0 else 1
        for batches in shuffled_batches(self.cases, self.config.grader, training, self.loop.rng, copies):
            graded = [model(batch.inputs().to(device)) for batch in batches]
            parts = [
                _loss(logits, batch, self.weights, heads) for logits, batch in zip(graded, batches, strict=True)
            ]
            loss = torch.stack(parts).mean()
            if copies == 2:
                shown = batches[0].present.any(axis=2) & batches[1].present.any(axis=2)
                seen = torch.from_numpy(shown).to(device)
                loss = loss + training.consistency * consistency_loss(graded[0], graded[1], seen, heads)
            yield loss


def member_heads(config: GraderConfig, kind: str) -> tuple[str, ...]:
    """Return the heads that a member of a kind has."""
    return tuple(head.key for head in config.heads if kind == "all" or not head.views)


def _midline_cases(cases: Sequence[Case], config: GraderConfig, keys: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases that are graded for some heads, without the windows that those do not see."""
    taken = [column for key, columns in label_columns(config.heads).items() if key in keys for column in columns]
    return tuple(replace(case, windows={}) for case in cases if (case.labels[:, taken] >= 0).any())


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
