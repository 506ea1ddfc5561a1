"""The training run: draw, step, steer the loss, keep checkpoints, store the averaged weights.

One process or several under accelerate; the loss sums its counts over ranks where torch.distributed is running.
"""

import csv
import json
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from runtime.device import denormals_flushed, use_threads
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.progress import Progress
from runtime.settings import load_settings
from runtime.weights import seal_weights
from segmentation.build import Network, Prompts, build_network, build_prompts
from segmentation.predict import save_model
from segmentation.preprocess import to_network_range
from segmentation.training.augment import Batch, ViewMaker
from segmentation.training.checkpoint import Average, load_checkpoint, save_checkpoint
from segmentation.training.config import RunConfig, TrainingConfig, load_run_config
from segmentation.training.cords import cord_folds, load_cord_slices
from segmentation.training.course import plot_course
from segmentation.training.data import TrainingSlice, load_slices
from segmentation.training.deck import Deck, stretched
from segmentation.training.losses import Objective
from segmentation.training.phantoms import load_phantom_slices
from segmentation.training.pseudo import make_pseudo_labels, with_pseudo_labels
from segmentation.training.start import begin_from

logger = logging.getLogger(__name__)

LOG = "log.csv"
SPIDER_KINDS = {"space", "t2", "t1", "vertebrae"}
CORD_KINDS = {"cord", "cord_axial"}
_TERMS = ("tversky", "cross_entropy", "level")


def train(
    config_path: Path,
    *,
    fold: int | None = None,
    output: Path | None = None,
    resume: bool = False,
    steps: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train the segmentation network.

    Args:
        config_path: Training file, such as ``configs/segmentation/train_default.yaml``.
        fold: Hold out the patients of this fold (``runtime.folds``); None trains on all.
        output: Model folder; None takes ``runs/segmentation/fold<K>`` or ``runs/segmentation/all``.
        resume: Go on from the folder's checkpoint when it has one.
        steps: Stop here instead of at the file's number of steps (the schedule stays the file's).
        on_progress: Told after every step.

    Returns:
        The model folder, laid out as under ``weights/``; checkpoint, log and pseudo-labels lie beside it in
        ``<name>.work``.

    Raises:
        ConfigError: If the file is wrong, or there is no such fold.
    """
    run = load_run_config(config_path)
    if fold is not None and not 0 <= fold < FOLD_COUNT:
        raise ConfigError(f"fold: expected 0 to {FOLD_COUNT - 1}, got {fold!r}")
    folder = output or Path("runs/segmentation") / ("all" if fold is None else f"fold{fold}")
    slices = _load_slices(run, fold)
    trainer = Trainer(run, slices, folder.with_name(folder.name + ".work"))
    if resume:
        trainer.restore()
    cycle = run.training.steps // run.training.cycles
    last = min(steps or run.training.total_steps, run.training.total_steps)
    for end in sorted({*range(cycle, min(last, run.training.steps + 1), cycle), last}):
        if end > trainer.step:
            trainer.run(end, on_progress)
            store_model(trainer, folder, fold)
    plot_course(trainer.folder / LOG, trainer.folder / "course.png")
    return folder


def _load_slices(run: RunConfig, fold: int | None) -> list[TrainingSlice]:
    """Return the training slices of the kinds that are drawn; real ones without the held-out fold.

    Raises:
        ConfigError: If a kind is drawn of which there are no slices.
    """
    training, cache = run.training, Path("runs/cache")
    kinds = {kind for mix in (training.mix, training.finish.mix) for kind, chance in mix.items() if chance}
    slices: list[TrainingSlice] = []
    for phantoms in training.phantoms:
        if phantoms.kind in kinds:
            slices += load_phantom_slices(phantoms, cache, run.network.long_side_px)
    if kinds & SPIDER_KINDS:
        folds = spider_folds()
        everything = load_slices(load_settings().data_dir, cache, run.network.long_side_px)
        slices += [item for item in everything if fold is None or folds[item.patient] != fold]
    if kinds & CORD_KINDS:
        held_out = cord_folds()
        everything = load_cord_slices(load_settings().data_dir, run.network.long_side_px)
        slices += [item for item in everything if fold is None or held_out[item.patient] != fold]
    slices = [item for item in slices if item.kind in kinds]
    if missing := sorted(kinds - {item.kind for item in slices}):
        raise ConfigError(
            f"mix: expected kinds of which there are slices, got {missing!r}, of which there are none"
        )
    return [stretched(item, run.network) for item in slices]


def rate_at(step: int, training: TrainingConfig) -> float:
    """Return the learning rate of a step.

    In each cycle a linear rise over 5 %, then half a cosine to 1 %; in the last phase half a cosine.
    """
    if step >= training.steps:
        share = (step - training.steps) / max(1, training.finish.steps)
        return training.finish.learning_rate * _falling(share)
    length = training.steps // training.cycles
    cycle, place = divmod(min(step, training.steps - 1), length)
    rise = max(1, round(0.05 * length))
    share = (place + 1) / rise if place < rise else _falling((place - rise) / max(1, length - rise))
    return training.learning_rate * 0.7**cycle * share


def _falling(share: float) -> float:
    """Return half a cosine from 1 to 0.01."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


@dataclass
class _Modules:
    network: Network
    prompts: Prompts
    objective: Objective

    def as_module(self) -> nn.ModuleDict:
        return nn.ModuleDict({"network": self.network, "prompts": self.prompts})


class Trainer:
    """One run on given slices.

    Args:
        run: Network and training.
        slices: Of the training patients only.
        folder: Checkpoints, log and pseudo-labels go here.
    """

    def __init__(self, run: RunConfig, slices: list[TrainingSlice], folder: Path) -> None:
        self.config, self.training, self.folder = run.network, run.training, folder
        use_threads(self.training.threads)
        torch.manual_seed(self.training.seed)
        self.accelerator = Accelerator()  # one process, unless torchrun or accelerate launch started several
        self.rng = self._own_rng()
        self.modules = _Modules(
            build_network(self.config),
            build_prompts(self.config),
            Objective(
                len(self.config.structures),
                self.training.pid,
                self.training.loss,
                region_loss=self.training.region_loss,
            ),
        )
        begin_from(self.modules.network, self.modules.prompts, self.training)
        self.model = self.modules.as_module()
        optimizer = torch.optim.AdamW(
            [parameter for parameter in self.model.parameters() if parameter.requires_grad],
            lr=self.training.learning_rate,
            weight_decay=self.training.weight_decay,
            fused=True,
        )
        self.network, self.optimizer = self.accelerator.prepare(self.modules.network, optimizer)
        is_learnt = any(parameter.requires_grad for parameter in self.modules.prompts.parameters())
        self.prompts = self.accelerator.prepare_model(
            self.modules.prompts,
            evaluation_mode=not is_learnt,  # there is nothing to synchronise in a fixed tower
        )
        self.modules.objective.to(self.accelerator.device)
        self.average = Average(self.model, self.training.ema)  # of the weights where prepare put them
        self.step = 0
        self.slices = slices
        self.deck = Deck(slices)
        self.views = ViewMaker(self.config, (self.training.crop_px[0], self.training.crop_px[1]))
        folder.mkdir(parents=True, exist_ok=True)

    def _own_rng(self) -> np.random.Generator:
        """Return a generator of this rank's: each rank draws slices of its own."""
        return np.random.default_rng(self.training.seed + 1_000_003 * self.accelerator.process_index)

    @property
    def is_finishing(self) -> bool:
        """Return whether the last phase has begun."""
        return self.step >= self.training.steps

    def run(self, until: int, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Take steps until ``until``; a checkpoint is written at the end and every ``checkpoint_steps``."""
        with denormals_flushed():
            self._run(until, on_progress)

    def _run(self, until: int, on_progress: Callable[[Progress], None] | None) -> None:
        self._start_log()
        self.model.train()
        while self.step < min(until, self.training.total_steps):
            length = self.training.steps // self.training.cycles
            cycle, place = divmod(min(self.step, self.training.steps), length)
            self.modules.objective.begin_cycle(cycle, is_new=place == 0 and self.step <= self.training.steps)
            if self.step in self.training.pseudo.at_steps:
                self._begin_self_training()
            terms = self._take_step()
            if self.step % self.training.epoch_steps == 0:
                self._write_log(terms, self.modules.objective.tversky.end_epoch())
            if self.step % self.training.checkpoint_steps == 0:
                self._save()
            if on_progress is not None:
                message = f"step {self.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in terms.items())
                on_progress(Progress("segmentation", self.step / self.training.total_steps, message))
        self._save()

    def _take_step(self) -> dict[str, float]:
        training = self.training
        view, mix = (
            (training.finish.view, training.finish.mix) if self.is_finishing else (training.view, training.mix)
        )
        samples = self.deck.draw(mix, training.batch, view.alone_share, self.rng)
        batch = self.views.make_batch(samples, view, self.rng)
        batch = Batch(*(getattr(batch, item.name).to(self.accelerator.device) for item in fields(batch)))
        output = self.network(to_network_range(batch.images), self.prompts())
        loss, terms = self.modules.objective.measure(output, batch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.step, training)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), training.clip_norm)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return terms

    def _begin_self_training(self) -> None:
        if self.accelerator.is_main_process:
            network, embeddings = self.averaged()
            make_pseudo_labels(network, embeddings, self.slices, self.config, self.training.pseudo, self.folder)
        self.accelerator.wait_for_everyone()
        self._take_pseudo_labels()
        logger.info("step %d: self-training begins", self.step)

    def _take_pseudo_labels(self) -> None:
        self.slices = with_pseudo_labels(self.slices, self.folder, self.training.pseudo.weight)
        self.deck = Deck(self.slices)

    def averaged(self) -> tuple[Network, Tensor]:
        """Return the network with averaged weights, and its prompt embeddings."""
        copy = _Modules(build_network(self.config), build_prompts(self.config), self.modules.objective)
        copy.as_module().load_state_dict(self.average.values)
        copy.prompts.eval()
        return copy.network.eval(), copy.prompts().detach()

    def _save(self) -> None:
        self.modules.objective.tversky.gather_counts()
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.values,
            "average_updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "objective": self.modules.objective.state_dict(),
        }
        if self.accelerator.is_main_process:
            save_checkpoint(self.folder, state, self.rng)
        self.accelerator.wait_for_everyone()

    def restore(self) -> bool:
        """Go back to the folder's checkpoint; False when there is none."""
        state = load_checkpoint(self.folder, self.rng)
        if state is None:
            return False
        self.step = state["step"]
        if not self.accelerator.is_main_process:  # the checkpoint holds the main process's generator
            self.rng = np.random.default_rng([self.training.seed, self.accelerator.process_index, self.step])
        self.model.load_state_dict(state["model"])
        self.average.values, self.average.updates = state["average"], state["average_updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.modules.objective.load_state_dict(state["objective"])
        if any(step < self.step for step in self.training.pseudo.at_steps):
            self._take_pseudo_labels()
        return True

    def _start_log(self) -> None:
        is_new = self.step == 0 or not (self.folder / LOG).is_file()
        if is_new and self.accelerator.is_main_process:
            names = [
                f"{what}_{name}" for what in ("recall", "precision", "beta") for name in self.config.structures
            ]
            _append(self.folder / LOG, ["step", "rate", *_TERMS, *names], mode="w")

    def _write_log(self, terms: dict[str, float], course: dict[str, list[float]]) -> None:
        if not self.accelerator.is_main_process:
            return
        rate = self.optimizer.param_groups[0]["lr"]
        numbers = [
            rate,
            *(terms[name] for name in _TERMS),
            *course["recall"],
            *course["precision"],
            *course["beta"],
        ]
        _append(self.folder / LOG, [str(self.step), *(f"{number:.5f}" for number in numbers)])
        logger.info("step %d: %s, beta %s", self.step, terms, course["beta"])


def store_model(trainer: Trainer, folder: Path, fold: int | None) -> None:
    """Write the averaged weights and ``config.json``, and seal the folder; the main process does."""
    if not trainer.accelerator.is_main_process:
        return
    folder.mkdir(parents=True, exist_ok=True)
    network, embeddings = trainer.averaged()
    values = trainer.average.values
    prompts = {key.removeprefix("prompts."): value for key, value in values.items() if key.startswith("prompts.")}
    save_model(folder, network.state_dict(), prompts, embeddings)
    record = {
        "network": trainer.config.to_dict(),
        "training": {**asdict(trainer.training), "steps_taken": trainer.step, "held_out_fold": fold},
    }
    (folder / "config.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)


def _append(file: Path, row: list[str], *, mode: str = "a") -> None:
    with file.open(mode, encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerow(row)
