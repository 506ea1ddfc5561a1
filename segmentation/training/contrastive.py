"""The contrastive run: regions against statements, in an open_clip ``CustomTextCLIP``.

Two stages. The first trains both towers on phantoms alone: its text tower makes the prompts of the segmentation
network, and no patient of any fold is in it. The second locks the text tower (LiT, Zhai et al. 2022,
arXiv:2111.07991) and trains the visual tower on real regions as well: prompts never change under a network that
was trained with them.
"""

import json
import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from runtime.device import use_threads
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT
from runtime.progress import Progress
from runtime.weights import seal_weights
from segmentation.clip.build import MODEL, build_clip, load_text, load_visual, make_tokens, save_clip
from segmentation.clip.crops import FIELDS_PITCHES, SIDE_PX
from segmentation.clip.statements import phrases_version, statements
from segmentation.text_hub import HubTextTower
from segmentation.text_tower import vocabulary_digest
from segmentation.training.checkpoint import Average, load_checkpoint, save_checkpoint
from segmentation.training.contrastive_config import ContrastiveRun, load_contrastive_run
from segmentation.training.contrastive_draws import Drawer, RegionPool, load_pools
from segmentation.training.contrastive_losses import region_loss, wording_loss

if TYPE_CHECKING:
    from open_clip.model import CustomTextCLIP

logger = logging.getLogger(__name__)

_PHRASES = 256  # embedded at once


def train(
    config_path: Path,
    *,
    fold: int | None = None,
    output: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train the region-text model.

    Args:
        config_path: Training file, such as ``configs/segmentation/contrastive.yaml``.
        fold: Hold out the real patients of this fold; None trains on all.
        output: Model folder; None takes ``runs/clip/<name of the file>``.
        resume: Go on from the folder's checkpoint when it has one.
        on_progress: Told after every step.

    Returns:
        The model folder, laid out as under ``weights/``; the checkpoint lies beside it in ``<name>.work``.

    Raises:
        ConfigError: If the file is wrong, there is no such fold, or a fold is to be held out of phantoms.
        WeightsError: If a file to begin with is missing or of another shape.
    """
    run = load_contrastive_run(config_path)
    if fold is not None and not 0 <= fold < FOLD_COUNT:
        raise ConfigError(f"fold: expected 0 to {FOLD_COUNT - 1}, got {fold!r}")
    if fold is not None and not run.training.real_share:
        raise ConfigError(f"fold: expected None, as {config_path.name} trains on phantoms alone, got {fold!r}")
    folder = output or Path("runs/clip") / config_path.stem
    pools = load_pools(run.training, fold)
    trainer = ContrastiveTrainer(run, pools, folder.with_name(folder.name + ".work"))
    if resume:
        trainer.restore()
    trainer.run_steps(on_progress)
    store_clip(trainer.averaged(), run, folder, fold)
    return folder


class ContrastiveTrainer:
    """One run on given regions.

    Args:
        run: Model and training.
        pools: Regions to draw from, real ones of training patients only.
        folder: The checkpoint goes here.
    """

    def __init__(self, run: ContrastiveRun, pools: list[RegionPool], folder: Path) -> None:
        self.run, self.training, self.folder = run, run.training, folder
        use_threads(self.training.threads)
        torch.manual_seed(self.training.seed)
        self.rng = np.random.default_rng(self.training.seed)
        self.model = build_clip(run.model)
        self.is_locked = bool(self.training.text_from)
        if self.is_locked:
            load_text(self.model, Path(self.training.text_from))
            self.model.text.requires_grad_(False)
        if self.training.visual_from:
            load_visual(self.model, Path(self.training.visual_from) / MODEL)
        learning = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            learning, lr=self.training.learning_rate, weight_decay=self.training.weight_decay
        )
        self.drawer = Drawer(pools, self.training)
        is_frozen = self.is_locked or isinstance(self.model.text, HubTextTower)
        self.known_texts = self._embed_all() if is_frozen else {}
        self.average = Average(self.model, self.training.ema)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)

    def run_steps(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Take all steps that are left."""
        while self.step < self.training.steps:
            terms = self._take_step()
            message = f"step {self.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in terms.items())
            if self.step % 20 == 0:
                logger.info(message)
            if self.step % self.training.checkpoint_steps == 0:
                self._save()
            if on_progress is not None:
                on_progress(Progress("contrastive", self.step / self.training.steps, message))
        self._save()

    def _take_step(self) -> dict[str, float]:
        self.model.train()
        batch = self.drawer.draw(self.rng)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.learning_rate * self._share()
        images = self.model.encode_image(torch.from_numpy(batch.crops), normalize=True)
        first, second = self._texts(batch.statements)
        logits = self.model.logit_scale.exp() * images @ first.T + self.model.logit_bias
        terms = {"region": region_loss(logits, torch.from_numpy(batch.truth))}
        if not self.is_locked:
            terms["wording"] = self.training.text_weight * wording_loss(first, second, self.training.temperature)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0.0, math.log(100.0))  # as CLIP does
        if self.training.ema:
            self.average.update(self.model)
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _texts(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return unit embeddings (M, D) of two wordings of each statement."""
        pairs = [self.drawer.two_wordings(int(number), self.rng) for number in chosen]
        wordings = [pair[side] for side in (0, 1) for pair in pairs]
        if self.known_texts:
            known = torch.stack([self.known_texts[wording] for wording in wordings])
            embedded = known if self.is_locked else self.model.text.projection(known)
        else:
            embedded = self.model.encode_text(make_tokens(self.model, wordings))
        first, second = normalize(embedded, dim=-1).chunk(2)
        return first, second

    @torch.no_grad()
    def _embed_all(self) -> dict[str, Tensor]:
        """Return what a locked tower, or the frozen encoder of one from outside, says of every wording."""
        self.model.eval()
        is_outside = isinstance(self.model.text, HubTextTower) and not self.is_locked
        wordings = [wording for statement in statements() for wording in statement.wordings]
        parts = []
        for start in range(0, len(wordings), _PHRASES):
            some = wordings[start : start + _PHRASES]
            parts.append(
                self.model.text.encode(some) if is_outside else self.model.text(make_tokens(self.model, some))
            )
        return dict(zip(wordings, torch.cat(parts), strict=True))

    def _share(self) -> float:
        rise = max(1, self.training.steps // 10)
        if self.step < rise:
            return (self.step + 1) / rise
        share = (self.step - rise) / max(1, self.training.steps - rise)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))

    def _save(self) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.values,
            "average_updates": self.average.updates,
        }
        save_checkpoint(self.folder, state, self.rng)

    def restore(self) -> bool:
        """Go back to the folder's checkpoint; False when there is none."""
        state = load_checkpoint(self.folder, self.rng)
        if state is None:
            return False
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.values, self.average.updates = state["average"], state["average_updates"]
        return True

    def averaged(self) -> "CustomTextCLIP":
        """Return a model with the averaged weights, or the last ones where nothing is averaged."""
        model = build_clip(self.run.model)
        model.load_state_dict(self.average.values if self.training.ema else self.model.state_dict())
        return model.eval()


def store_clip(model: "CustomTextCLIP", run: ContrastiveRun, folder: Path, fold: int | None) -> None:
    """Write the model, its text tower apart, and ``config.json``, and seal the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_clip(model, folder)
    record = {
        "model": run.model.to_dict(),
        "crops": {"side_px": SIDE_PX, "fields_pitches": list(FIELDS_PITCHES)},
        "phrases": phrases_version(),
        "vocabulary_sha256": vocabulary_digest(),
        "training": {**asdict(run.training), "held_out_fold": fold},
    }
    (folder / "config.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)
