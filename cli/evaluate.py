"""``spinescribe evaluate``: predictions against references, figures to metrics.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from runtime.errors import StudyError

TASKS = ("segmentation", "grading", "report")


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        parents=[shared],
        help="measure predictions against references",
        description="Measure predictions against references and write the figures to DIR/metrics.json.",
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--predictions", required=True, type=Path, metavar="A")
    parser.add_argument("--references", required=True, type=Path, metavar="B")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write metrics.json and print it.

    Raises:
        StudyError: If either input is not there.
    """
    for option in ("predictions", "references"):
        given: Path = getattr(arguments, option)
        if not given.exists():
            raise StudyError(f"--{option}: {given.name}: expected a file or folder, found none")
    from evaluation.run import evaluate

    figures = evaluate(arguments.task, arguments.predictions, arguments.references)
    text = json.dumps(figures, indent=2, allow_nan=False)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "metrics.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0
