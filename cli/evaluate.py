"""``spinescribe evaluate``: predictions against references, to figures, tables and pages."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli import faults
from cli.progress import ProgressDisplay
from runtime.errors import ConfigError, StudyError
from runtime.progress import Progress

if TYPE_CHECKING:
    from evaluation.options import EvaluationOptions
    from evaluation.pages.view import Table
    from evaluation.run import EvaluationRun

TASKS = ("report", "segmentation", "grading", "detection", "all")
FAILED = 2
_OPTIONS = {
    "predictions": None, "references": None, "out": None, "subgroups": None, "patients": None, "metrics": None,
    "training": None, "against": None, "embeddings": None, "splits": None, "images": None,
    "tolerance": 1.0, "level_distance": 20.0, "spacing": None, "score_threshold": 0.5, "resamples": 1000,
    "seed": 0,
}  # fmt: skip
"""Option -> its default, in the order of the command."""
_FILES = (
    "predictions", "references", "subgroups", "patients", "training", "against", "embeddings", "splits", "images",
)  # fmt: skip
_DESCRIPTION = """Measure predictions against references and write metrics.json, per_case.csv, report.md,
report.html, plots/ and model_card_section.md into DIR. Exit code 2: bad input, or a failure such as collapse or
leakage (everything is still written). docs/evaluation.md tells what each task reads."""


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate", parents=[shared], help="measure predictions against references", description=_DESCRIPTION
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument(
        "--predictions", required=True, type=Path, metavar="A", help="file or folder that is scored"
    )
    parser.add_argument("--references", required=True, type=Path, metavar="B", help="what it is scored against")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for figures and pages")
    parser.add_argument(
        "--subgroups", type=Path, metavar="CSV", help="id and columns such as scanner, field, sex, age"
    )
    parser.add_argument(
        "--patients", type=Path, metavar="CSV", help="id,patient: whose each case is (default: its own)"
    )
    parser.add_argument(
        "--metrics",
        metavar="NAMES",
        help="of the report task, such as bleu,rouge_l,cider,spinefact (default: all)",
    )
    parser.add_argument("--training", type=Path, metavar="FILE", help="reports trained on, for the share copied")
    parser.add_argument("--against", type=Path, metavar="C", help="reports of a second system, for a paired test")
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="vectors of the images (.npz or JSONL), for the nearest report",
    )
    parser.add_argument(
        "--splits", type=Path, metavar="CSV", help="id,patient,split: look for leakage between parts"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="images by id, for near-duplicates between splits"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=_OPTIONS["tolerance"],
        metavar="MM",
        help="of the surface Dice (default 1)",
    )
    parser.add_argument(
        "--level-distance",
        type=float,
        default=_OPTIONS["level_distance"],
        metavar="MM",
        help="within it a level is found (default 20)",
    )
    parser.add_argument("--spacing", metavar="MM|ROW,COL", help="pixel spacing in mm of PNG label maps")
    parser.add_argument(
        "--score-threshold",
        type=float,
        default=_OPTIONS["score_threshold"],
        metavar="S",
        help="from it a box is shown (default 0.5)",
    )
    parser.add_argument(
        "--resamples", type=int, default=_OPTIONS["resamples"], metavar="N", help="of the bootstrap (default 1000)"
    )
    parser.add_argument(
        "--seed", type=int, default=_OPTIONS["seed"], metavar="N", help="of the bootstrap (default 0)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Score, write everything, print the headline figures.

    Raises:
        StudyError: If an input is not there or does not fit.
        ConfigError: If an option is out of range.
    """
    for option in _FILES:
        given: Path | None = getattr(arguments, option)
        if given is not None and not given.exists():
            raise StudyError(f"--{option}: {given.name}: expected a file or folder, found none")
    from evaluation.pages import write_pages
    from evaluation.run import evaluate

    options = _options(arguments)
    with _progress(arguments.task) as show:
        chosen = options if show is None else replace(options, show=show)
        done = evaluate(arguments.task, arguments.predictions, arguments.references, chosen)
    write_pages(done, arguments.out, options, command=_command(arguments))
    _say(done, arguments.out)
    return FAILED if done.all_failures else 0


def _names(text: str) -> tuple[str, ...]:
    from evaluation.options import TEXT_METRICS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    odd = [name for name in names if name not in TEXT_METRICS]
    if odd or not names:
        raise ConfigError(f"--metrics: expected some of {', '.join(TEXT_METRICS)}, got {text!r}")
    return names


def _options(arguments: argparse.Namespace) -> EvaluationOptions:
    from evaluation.options import TEXT_METRICS, EvaluationOptions
    from evaluation.subgroups import read_patients, read_subgroups
    from imaging import parse_spacing

    spacing = None if arguments.spacing is None else parse_spacing(arguments.spacing)
    return EvaluationOptions(
        patients={} if arguments.patients is None else read_patients(arguments.patients),
        subgroups=None if arguments.subgroups is None else read_subgroups(arguments.subgroups),
        metrics=TEXT_METRICS if arguments.metrics is None else _names(arguments.metrics),
        training=arguments.training,
        against=arguments.against,
        embeddings=arguments.embeddings,
        splits=arguments.splits,
        images=arguments.images,
        tolerance_mm=arguments.tolerance,
        level_distance_mm=arguments.level_distance,
        spacing_mm=None if spacing is None else (spacing.row_mm, spacing.col_mm),
        score_threshold=arguments.score_threshold,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )


@contextmanager
def _progress(task: str) -> Iterator[Callable[[Progress], None] | None]:
    """Yield what draws a bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    with ProgressDisplay(f"evaluate {task}") as display:
        yield display.show


def _command(arguments: argparse.Namespace) -> str:
    """Return the command line that gives this run again."""
    words = ["spinescribe", "evaluate", arguments.task]
    for option, default in _OPTIONS.items():
        value = getattr(arguments, option)
        if value != default:
            words += [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _say(done: EvaluationRun, folder: Path) -> None:
    """Print the headline figures, the baselines beside them, what was skipped, and what failed."""
    from evaluation.pages.view import build_page

    page = build_page(done, {}, {})
    for section in page.sections:
        print(f"{section.title}: {section.size}")
        for card in section.cards:
            print(f"  {card.name:28} {card.value}  ({card.interval})")
        baselines = section.table("baselines")
        if baselines is not None:
            _say_table(baselines)
    for notice in page.notices:
        print(notice)
    print(f"written to {folder}")
    for failure in page.failures:
        faults.say(f"failed: {failure}")


def _say_table(table: Table) -> None:
    for row in table.rows:
        print("  " + "  ".join(f"{head} {text}" for head, text in zip(table.head, row, strict=True)))
