"""Train the gate that asks whether a picture is a sagittal spine at all.

    python -m segmentation.training.likeness --config configs/segmentation/likeness.yaml [--collect PART]

Needs the segmentation weights and the real data. What the network sees in every picture is kept in
``runs/likeness/*.npz`` (made again when the network or the choice of pictures changes), the heads are fitted and
calibrated on the pictures outside the held-out fold, and ``weights/spine-likeness`` is written. ``python -m
benchmarks.likeness`` judges it.
"""

import argparse
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tqdm import tqdm

from anatomy import load_protocol
from runtime.device import use_threads
from runtime.errors import ConfigError, NotEligibleError
from runtime.settings import load_settings
from runtime.weights import open_weights, seal_weights
from segmentation.frame import SliceFrame
from segmentation.likeness import WEIGHTS, LikenessHead
from segmentation.likeness_features import Vector, map_statistics, token_vector
from segmentation.middle import read_middle
from segmentation.predict import SliceSegmenter
from segmentation.training.likeness_config import LikenessConfig, load_likeness_config
from segmentation.training.likeness_images import PARTS, Sample
from segmentation.types import SliceMaps

_log = logging.getLogger(__name__)

RUN_DIR = Path("runs/likeness")


@dataclass(frozen=True, eq=False)
class SeenPictures:
    """What the network saw in N pictures.

    Attributes:
        tokens: (N, T) attended tokens.
        statistics: (N, S) of the maps.
        kind: (N,) what each shows.
        group: (N,) what may not be split.
        fold: (N,) 0 to 4.
        is_spine: (N,) whether it is a readable sagittal spine.
        is_plain: (N,) False for a changed view.
        rules_refuse: (N,) whether the rules on the chain of discs refuse it.
    """

    tokens: Vector
    statistics: Vector
    kind: NDArray[np.str_]
    group: NDArray[np.str_]
    fold: NDArray[np.intp]
    is_spine: NDArray[np.bool_]
    is_plain: NDArray[np.bool_]
    rules_refuse: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> "SeenPictures":
        """Return some of the pictures."""
        return SeenPictures(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


def see_all(config: LikenessConfig, *, parts: tuple[str, ...] = tuple(PARTS)) -> SeenPictures:
    """Run the network over all pictures, or read what it saw from ``runs/likeness``."""
    network = SliceSegmenter.load()
    data_dir = load_settings().data_dir
    seen = []
    for part in parts:
        file = RUN_DIR / f"{part}_{network.checksum[:8]}_{config.pictures_key}.npz"
        if not file.is_file():
            RUN_DIR.mkdir(parents=True, exist_ok=True)
            samples = tqdm(PARTS[part](data_dir, config), desc=part, mininterval=20)
            columns: dict[str, Any] = _see(network, samples)
            np.savez(file, **columns)
        with np.load(file) as stored:
            seen.append({name: stored[name] for name in stored.files})
    return SeenPictures(**{name: np.concatenate([part[name] for part in seen]) for name in seen[0]})


def fit_heads(seen: SeenPictures, config: LikenessConfig) -> tuple[LikenessHead, ...]:
    """Fit one head without each fold and calibrate it on the patients of that fold."""
    heads = []
    for fold in np.unique(seen.fold[_is_calibration(seen)]):
        head = _fit(seen.take(seen.fold != fold), config)
        told = seen.take((seen.fold == fold) & _is_calibration(seen))
        scores = least_by_patient(told.group, head.logits(told.tokens, told.statistics))
        heads.append(replace(head, calibration=scores))
    return tuple(heads)


def least_by_patient(groups: NDArray[np.str_], scores: Vector) -> Vector:
    """Return the least score of each patient, ascending.

    A patient counts once, by the series that looks least like a spine: whichever one series of a like patient is
    asked about, its score is then no lower, and the gate refuses no more often than it says.
    """
    return np.sort([scores[groups == group].min() for group in np.unique(groups)])


def _is_calibration(seen: SeenPictures) -> NDArray[np.bool_]:
    """Return which pictures calibrate: plain middle slices of SPIDER, as a reading picks them."""
    is_middle = np.isin(seen.kind, ("t1", "t2", "t2_SPACE"))
    return np.asarray(seen.is_spine & seen.is_plain & is_middle)


def _fit(seen: SeenPictures, config: LikenessConfig) -> LikenessHead:
    """Fit components, distance and logistic weights; every kind weighs alike within its side."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    spine = seen.is_spine
    token_mean = seen.tokens[spine].mean(axis=0)
    components = PCA(config.token_components, random_state=config.seed).fit(seen.tokens).components_
    together = np.concatenate([(seen.tokens - token_mean) @ components.T, seen.statistics], axis=1)
    width = together.shape[1] + 1
    blank = LikenessHead(
        token_mean=token_mean,
        components=components,
        centre=together[spine].mean(axis=0),
        spread=np.maximum(together[spine].std(axis=0), 1e-3),
        scale=np.ones(width),
        weights=np.zeros(width),
        bias=0.0,
        calibration=np.zeros(0),
    )
    inputs = blank.inputs(seen.tokens, seen.statistics)
    scale = np.maximum(inputs.std(axis=0), 1e-6)
    model = LogisticRegression(C=config.inverse_penalty, max_iter=2000)
    model.fit(inputs / scale, spine, sample_weight=_weights(seen))
    return replace(blank, scale=scale, weights=model.coef_[0], bias=float(model.intercept_[0]))


def _weights(seen: SeenPictures) -> Vector:
    """Weigh both sides alike; within a side a kind counts by the square root of its pictures."""
    weight = np.zeros(len(seen.kind))
    for side in (True, False):
        rows = seen.is_spine == side
        names, counts = np.unique(seen.kind[rows], return_counts=True)
        by_kind = dict(zip(names, 1 / np.sqrt(counts), strict=True))
        drawn = np.array([by_kind[name] for name in seen.kind[rows]])
        weight[rows] = drawn / drawn.sum() * len(weight) / 2
    return weight


def _see(network: SliceSegmenter, samples: Iterable[Sample]) -> dict[str, NDArray[np.generic]]:
    columns: dict[str, list[object]] = {item.name: [] for item in fields(SeenPictures)}
    for sample in samples:
        maps = network.segment_slices(sample.image[None], None)
        columns["tokens"].append(token_vector(maps).astype(np.float32))
        columns["statistics"].append(map_statistics(maps).astype(np.float32))
        columns["rules_refuse"].append(_rules_refuse(sample, maps))
        for name in ("kind", "group", "fold", "is_spine", "is_plain"):
            columns[name].append(getattr(sample, name))
    return {name: np.array(values) for name, values in columns.items()}


def _rules_refuse(sample: Sample, maps: SliceMaps) -> bool:
    try:
        read_middle(sample.image, maps, 0, load_protocol("lumbar"), SliceFrame.of(None))
    except NotEligibleError:
        return True
    return False


def write_weights(heads: Sequence[LikenessHead], config: LikenessConfig, seen: SeenPictures, folder: Path) -> None:
    """Write the model folder; the card beside it is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            # safetensors writes the bytes as they lie: an array in Fortran order would come back shuffled
            f"{number}.{item.name}": np.ascontiguousarray(
                np.atleast_1d(getattr(head, item.name)), dtype=np.float32
            )
            for number, head in enumerate(heads)
            for item in fields(head)
        },
        folder / "model.safetensors",
    )
    patients = np.unique(seen.group[_is_calibration(seen)])
    facts = {
        "segmentation_checksum": open_weights("segmentation", load_settings().weights_dir).checksum,
        "heads": len(heads),
        "threshold": config.false_refusals,
        "calibration_patients": sorted(int(name.removeprefix("spider")) for name in patients),
        "training": asdict(config),
        "pictures": {"spines": int(seen.is_spine.sum()), "others": int((~seen.is_spine).sum())},
    }
    (folder / "config.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    seal_weights(folder)


def main() -> None:
    """Collect, fit and write.

    Raises:
        ConfigError: If the real data are not there.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--collect", choices=tuple(PARTS), help="only look at these pictures")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    use_threads(1)
    config, settings = load_likeness_config(arguments.config), load_settings()
    if not (settings.data_dir / "README.md").is_file():
        raise ConfigError(f"SPINESCRIBE_DATA: expected the real data, found none at {settings.data_dir}")
    if arguments.collect:
        see_all(config, parts=(arguments.collect,))
        return
    seen = see_all(config)
    training = seen.take(seen.fold != config.held_out_fold)
    write_weights(fit_heads(training, config), config, training, settings.weights_dir / WEIGHTS)
    _log.info("wrote %s", settings.weights_dir / WEIGHTS)


if __name__ == "__main__":
    main()
