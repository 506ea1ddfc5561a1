"""``spinescribe train``: one model stage from its configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import faults
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        parents=[shared],
        help="train a stage",
        description="Train a stage from its YAML configuration. For speed, preload jemalloc (see the README).",
    )
    parser.add_argument("stage", choices=tuple(_TRAINERS))
    parser.add_argument("--config", required=True, type=Path, metavar="YAML")
    parser.add_argument("--fold", type=int, choices=range(FOLD_COUNT), help="patients of this fold are held out")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: the configuration's)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train the stage and print where the result lies.

    Raises:
        ConfigError: If the configuration file is not there.
    """
    if not arguments.config.is_file():
        raise ConfigError(f"--config: expected a YAML file, found none at {str(arguments.config)!r}")
    faults.say(f"training {arguments.stage} from {arguments.config.name}")
    train = _TRAINERS[arguments.stage]
    print(train(arguments.config, arguments.fold, arguments.resume, arguments.out))
    return 0


def _train_segmentation(config: Path, fold: int | None, resume: bool, out: Path | None) -> Path:
    from segmentation import train

    return train(config, fold=fold, resume=resume, output=out)


def _train_contrastive(config: Path, fold: int | None, resume: bool, out: Path | None) -> Path:
    from segmentation.clip import train

    return train(config, fold=fold, resume=resume, output=out)


def _train_grading(config: Path, fold: int | None, resume: bool, out: Path | None) -> Path:
    from grading import train

    return train(config, fold=fold, resume=resume, out=out)


def _train_vlm(config: Path, fold: int | None, resume: bool, out: Path | None) -> Path:
    from vlm import train

    return train(config, fold=fold, resume=resume, out=out)


_TRAINERS = {
    "segmentation": _train_segmentation,
    "contrastive": _train_contrastive,
    "grading": _train_grading,
    "vlm": _train_vlm,
}
