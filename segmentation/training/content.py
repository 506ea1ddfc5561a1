"""Trains the network that tells plane, upright position and weighting of a bare slice (``imaging.content``).

    python -m segmentation.training.content [--config configs/segmentation/content.yaml]

Learns from SPIDER's training folds, the volumes at hand and phantoms of every plane; fold 0 and Sudirman's
slices are never seen. Views are changed anew in every epoch: turned, cut, shaded as by other coils, given other
brightness curves.
"""

import argparse
import json
import logging
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from imaging.content.network import STRIDES
from imaging.content.view import standard_view
from runtime.device import use_threads
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from runtime.weights import seal_weights
from segmentation.training.content_calibration import calibrate
from segmentation.training.content_pictures import Sample, spider_samples, volume_samples
from segmentation.training.content_views import change_views

_log = logging.getLogger(__name__)

VIEWS = ("sagittal_upright", "sagittal_mirrored", "sagittal_upside_down", "sagittal_flipped", "axial", "coronal")
SEQUENCES = ("t1", "t2", "stir")
STORED_PX = 128


@dataclass(frozen=True)
class ContentConfig:
    """Options of the training; the file's comments explain each."""

    seed: int
    held_out_fold: int
    calibration_fold: int
    lumbar_phantoms: int
    sacroiliac_phantoms: int
    first_seed: int
    epochs: int
    pictures_per_epoch: int
    batch: int
    learning_rate: float
    weight_decay: float
    cache: str


def load_content_config(path: Path) -> ContentConfig:
    """Read the file.

    Raises:
        ConfigError: If it is missing, or its keys are not those of ``ContentConfig``.
    """
    if not path.is_file():
        raise ConfigError(f"{path.name}: expected a training file at {path}, found nothing")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = {item.name for item in fields(ContentConfig)}
    if not isinstance(values, dict) or set(values) != names:
        raise ConfigError(f"{path.name}: expected the keys {', '.join(sorted(names))}")
    return ContentConfig(**values)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Standard views with what they show; N pictures.

    Attributes:
        image: (N, STORED_PX, STORED_PX) uint8.
        plane: (N,) such as ``sagittal``.
        sequence: (N,) such as ``t2``; ``unknown`` teaches no weighting.
        group: (N,).
        source: (N,).
    """

    image: NDArray[np.uint8]
    plane: NDArray[np.str_]
    sequence: NDArray[np.str_]
    group: NDArray[np.str_]
    source: NDArray[np.str_]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Pictures":
        """Return the pictures of a mask or index."""
        return Pictures(*(getattr(self, item.name)[chosen] for item in fields(self)))

    @property
    def fold(self) -> NDArray[np.int64]:
        """Fold of each picture: SPIDER's own, for phantoms by their number; other volumes are always learnt
        from."""
        folds = spider_folds()

        def of(group: str) -> int:
            if group.startswith("spider"):
                return folds[int(group[6:])]
            digits = "".join(filter(str.isdigit, group))
            return int(digits) % FOLD_COUNT if group.startswith(("lumbar", "sacroiliac")) else FOLD_COUNT

        return np.array([of(str(group)) for group in self.group])


def gather(config: ContentConfig) -> Pictures:
    """Return all pictures, from the cache when it is there."""
    cache = Path(config.cache)
    if cache.is_file():
        with np.load(cache) as stored:
            return Pictures(**{name: stored[name] for name in stored.files})
    from segmentation.training.content_phantoms import phantom_samples

    data_dir = load_settings().data_dir
    samples: list[Sample] = [*spider_samples(data_dir), *volume_samples(data_dir)]
    first = config.first_seed
    samples += phantom_samples(range(first, first + config.lumbar_phantoms), "lumbar")
    joints = phantom_samples(range(first, first + config.sacroiliac_phantoms), "sacroiliac")
    samples += [item for item in joints if item.plane != "sagittal"]
    pictures = as_pictures(samples)
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(cache, **{item.name: getattr(pictures, item.name) for item in fields(pictures)})
    return pictures


def as_pictures(samples: list[Sample]) -> Pictures:
    """Return samples as standard views."""
    views = [np.round(255 * standard_view(item.image, STORED_PX)).astype(np.uint8) for item in samples]
    return Pictures(
        np.array(views),
        *(
            np.array([getattr(item, name) for item in samples])
            for name in ("plane", "sequence", "group", "source")
        ),
    )


class ContentNet(nn.Module):
    """The network with batch normalisation, as trained."""

    def __init__(self) -> None:
        super().__init__()
        widths, sizes = (2, 16, 32, 32, 64, 64, 96), (5, 3, 3, 3, 3, 3)
        self.layers = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], sizes[i], stride=STRIDES[i], padding=sizes[i] // 2, bias=False)
            for i in range(len(STRIDES))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.drop = nn.Dropout(0.3)
        self.views = nn.Linear(2 * widths[-1], len(VIEWS))
        self.sequences = nn.Linear(2 * widths[-1], len(SEQUENCES))

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of views and sequences of (N, 2, side, side)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            planes = functional.relu(norm(layer(planes)))
        features = self.drop(torch.cat([planes.mean(dim=(2, 3)), planes.amax(dim=(2, 3))], dim=1))
        return self.views(features), self.sequences(features)


def fit(pictures: Pictures, config: ContentConfig) -> ContentNet:
    """Train on pictures; every kind (source, plane, weighting) is drawn in equal measure, real ones twice as
    often."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = ContentNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * (config.pictures_per_epoch // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=config.learning_rate, total_steps=steps)
    share = _shares(pictures)
    for epoch in range(config.epochs):
        net.train()
        total = 0.0
        for _ in range(config.pictures_per_epoch // config.batch):
            chosen = rng.choice(len(share), config.batch, p=share)
            planes, views, sequences = change_views(pictures.take(chosen), rng)
            view_logits, sequence_logits = net(planes)
            loss = functional.cross_entropy(view_logits, views, label_smoothing=0.02)
            if (sequences >= 0).any():
                loss = loss + functional.cross_entropy(
                    sequence_logits, sequences, ignore_index=-1, label_smoothing=0.02
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        _log.info("epoch %d: loss %.3f", epoch, total / (config.pictures_per_epoch // config.batch))
    return net.eval()


def _shares(pictures: Pictures) -> NDArray[np.float64]:
    kind = np.array(
        ["|".join(row) for row in zip(pictures.source, pictures.plane, pictures.sequence, strict=True)]
    )
    names, index, counts = np.unique(kind, return_inverse=True, return_counts=True)
    # The root of the count, not the count: eight slices of one small volume shall not weigh as 250 patients.
    weight = np.sqrt(counts) * np.array([1.0 if name.startswith("phantom") else 2.0 for name in names])
    share = (weight / counts)[index]
    for plane in np.unique(pictures.plane):
        share[pictures.plane == plane] /= share[pictures.plane == plane].sum()
    return np.asarray(share / share.sum())


def folded_state(net: ContentNet) -> dict[str, NDArray[np.float32]]:
    """Return the weights for ``imaging.content.network``, batch normalisation folded in."""
    state: dict[str, Tensor] = {}
    for index, (layer, norm) in enumerate(zip(net.layers, net.norms, strict=True)):
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        state[f"kernel_{index}"] = layer.weight * scale[:, None, None, None]  # type: ignore[operator]
        state[f"bias_{index}"] = norm.bias - norm.running_mean * scale
    state |= {"view_weight": net.views.weight, "view_bias": net.views.bias}
    state |= {"sequence_weight": net.sequences.weight, "sequence_bias": net.sequences.bias}
    return {name: np.ascontiguousarray(value.detach().numpy()) for name, value in state.items()}


def main() -> None:
    """Train, and write ``weights/plane-sequence``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/segmentation/content.yaml"))
    parser.add_argument("--out", type=Path, default=Path("weights/plane-sequence"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_threads(1)
    config = load_content_config(options.config)
    pictures = gather(config)
    is_learnt = ~np.isin(pictures.fold, (config.held_out_fold, config.calibration_fold))
    net = fit(pictures.take(is_learnt), config)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(folded_state(net), options.out / "model.safetensors")
    is_calibration = pictures.fold == config.calibration_fold
    calibration = calibrate(net, pictures.take(is_calibration), np.random.default_rng(config.seed))
    settings = {"views": VIEWS, "sequences": SEQUENCES, "protocols": ["lumbar"], **calibration}
    settings["weighted_planes"] = ["sagittal"]
    (options.out / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    seal_weights(options.out)


if __name__ == "__main__":
    main()
