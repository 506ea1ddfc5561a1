"""``spinescribe train``: one model stage from its configuration."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from cli import faults
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT

STAGES = ("segmentation", "grading", "vlm")


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
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--config", required=True, type=Path, metavar="YAML")
    parser.add_argument("--fold", type=int, choices=range(FOLD_COUNT), help="patients of this fold are held out")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: the configuration's)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train the stage through its public ``train``.

    Raises:
        ConfigError: If the configuration file is not there.
    """
    if not arguments.config.is_file():
        raise ConfigError(f"--config: expected a YAML file, found none at {str(arguments.config)!r}")
    room = importlib.import_module(arguments.stage)
    faults.say(f"training {arguments.stage} from {arguments.config.name}")
    room.train(arguments.config, fold=arguments.fold, resume=arguments.resume, out=arguments.out)
    return 0
