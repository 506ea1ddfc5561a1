"""Finalists on all five folds: each fold's network trained if it is not there yet, or gone on with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT
from runtime.weights import CHECKSUMS
from segmentation import train

FINALISTS_FILE = Path("configs/segmentation/ablation/finalists.yaml")
FOLDER = Path("runs/segmentation")


@dataclass(frozen=True)
class Finalist:
    """Training files of a network.

    Attributes:
        name: Its folder under ``runs/segmentation``.
        run: Of each fold.
        start: Of the run that the folds begin from; it holds no patient back, so it must see none. None where
            they begin from random weights.
    """

    name: str
    run: Path
    start: Path | None


def load_finalists(file: Path = FINALISTS_FILE) -> dict[str, Finalist]:
    """Read the table of finalists.

    Raises:
        ConfigError: If it is missing or an entry lacks its training file.
    """
    if not file.is_file():
        raise ConfigError(f"{file.name}: expected the table of finalists at {file}, found nothing")
    found = {}
    for name, values in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        if not isinstance(values, Mapping) or "run" not in values or set(values) - {"run", "start"}:
            raise ConfigError(f"{file.name}: {name}: expected run and, it may be, start, got {values!r}")
        start = values.get("start")
        found[name] = Finalist(name, Path(values["run"]), None if start is None else Path(start))
    return found


def train_folds(finalist: Finalist, folder: Path = FOLDER) -> Path:
    """Train what is missing of ``<folder>/<name>/fold<K>``, and what the folds begin from; return the folder.

    Raises:
        ConfigError: If the folds' training file begins from another run than the finalist's.
    """
    if finalist.start is not None:
        start = _start_folder(finalist)
        if not is_finished(start):
            train(finalist.start, output=start, resume=True)
    for fold in range(FOLD_COUNT):
        model = folder / finalist.name / f"fold{fold}"
        if not is_finished(model):
            train(finalist.run, fold=fold, output=model, resume=True)
        print(f"{finalist.name}: fold {fold} is there", flush=True)
    return folder / finalist.name


def is_finished(model: Path) -> bool:
    """Return whether a model folder holds the weights of a whole run."""
    if not (model / CHECKSUMS).is_file():
        return False
    training = json.loads((model / "config.json").read_text(encoding="utf-8"))["training"]
    return bool(training["steps_taken"] >= training["steps"] + training["finish"]["steps"])


def _start_folder(finalist: Finalist) -> Path:
    """Return the model folder that a finalist's training file says it begins from."""
    values = yaml.safe_load(finalist.run.read_text(encoding="utf-8"))
    start = (values.get("training") or {}).get("start")
    if start is None:
        raise ConfigError(
            f"{finalist.run.name}: expected training.start, as the table of finalists has a start of "
            f"{finalist.name}, got none"
        )
    return Path(start)
