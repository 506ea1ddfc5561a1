"""Finalists on all five folds: each fold's network trained if it is not there yet, or gone on with."""

import json
from pathlib import Path

from runtime.folds import FOLD_COUNT
from runtime.weights import CHECKSUMS
from segmentation import train

FOLDER = Path("runs/segmentation")


def train_folds(config: Path, name: str, *, folder: Path = FOLDER) -> Path:
    """Train what is missing of ``<folder>/<name>/fold0`` to ``fold4``; return that folder."""
    for fold in range(FOLD_COUNT):
        model = folder / name / f"fold{fold}"
        if not is_finished(model):
            train(config, fold=fold, output=model, resume=True)
        print(f"{name}: fold {fold} is there", flush=True)
    return folder / name


def is_finished(model: Path) -> bool:
    """Return whether a model folder holds the weights of a whole run."""
    if not (model / CHECKSUMS).is_file():
        return False
    training = json.loads((model / "config.json").read_text(encoding="utf-8"))["training"]
    return bool(training["steps_taken"] >= training["steps"] + training["finish"]["steps"])
