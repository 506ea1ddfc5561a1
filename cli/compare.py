"""``spinescribe compare``: one study as several graders see it, side by side, with their vote."""

from __future__ import annotations

import argparse
from pathlib import Path

from anatomy import protocol_names
from cli.read import open_reader, read_quietly


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "compare",
        parents=[shared],
        help="show what several graders say of one study, side by side",
        description="Read a study and print a table: every place, the step and probability each grader names, "
        "and the vote (most votes win; a tie goes to the network that was better on held-out patients).",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="study, as for `read`")
    parser.add_argument(
        "--graders",
        required=True,
        nargs="+",
        metavar="NAME",
        help="two or more: names of shipped weights, or model folders of your trainings",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the table to this Markdown file")
    parser.add_argument("--protocol", default="auto", choices=("auto", *protocol_names()), help="body region")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the study, grade it with each grader and print the table.

    Raises:
        StudyError: If the path cannot be read.
        NotEligibleError: If it may not be read.
        ConfigError: If there are fewer than two graders, or one is of another body region.
        WeightsError: If a grader's weights are missing or damaged.
    """
    from grading.ensemble import comparison_table
    from pipeline.comparison import compare_graders, open_graders

    graders = open_graders(arguments.graders, device=arguments.device)
    reading = read_quietly(open_reader(arguments.device), arguments.path, arguments.protocol)
    table = comparison_table(compare_graders(reading, graders))
    print(table, flush=True)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(table + "\n", encoding="utf-8")
    return 0
