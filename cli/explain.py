"""``spinescribe explain``: where the pictures spoke for one grade."""

from __future__ import annotations

import argparse
from pathlib import Path

from anatomy import protocol_names
from cli.read import make_folder, open_reader, read_quietly

METHODS = ("hires_cam", "grad_cam")
"""Names of ``grading.saliency.SaliencyMethod``; here too, because the parser loads no arrays."""


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "explain",
        parents=[shared],
        help="show where the pictures spoke for one grade",
        description="Read a study and write heat maps of one grade on the windows that it rests on, and the "
        "heat's share inside the structure the condition is about. Shows what moved the network, not where a "
        "lesion ends. Grades that a measurement decided have none.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="study, as for `read`")
    parser.add_argument(
        "--grade",
        required=True,
        metavar="CONDITION@LEVEL[:SIDE]",
        help="such as disc_herniation@L4-L5 or neural_foraminal_narrowing@L4-L5:left; sacroiliitis@SIJ:left is "
        "the stage of a joint, sacroiliitis@SIJ the status of the patient",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--method", default=METHODS[0], choices=METHODS, help="how heat is made (default: hires_cam)"
    )
    parser.add_argument(
        "--slices",
        type=_count,
        default=None,
        metavar="N",
        help="of the sacroiliac joints: most slices that are shown, those with most heat (default: 3)",
    )
    parser.add_argument("--protocol", default="auto", choices=("auto", *protocol_names()), help="body region")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the study, explain the grade and write its files.

    Raises:
        StudyError: If the path cannot be read.
        NotEligibleError: If it may not be read, or the grade could not be given.
        ConfigError: If the grade is none of the reading, or no network gave it.
    """
    from grading.saliency.types import SaliencyMethod
    from pipeline.saliency import explain_reading, write_explanation

    make_folder(arguments.out)
    reader = open_reader(arguments.device)
    reading = read_quietly(reader, arguments.path, arguments.protocol)
    found = explain_reading(
        reader, reading, arguments.grade, method=SaliencyMethod(arguments.method), slices=arguments.slices
    )
    files = write_explanation(found, reading.study, arguments.out)
    print(
        f"{arguments.grade}: {found.grade.grade}, written to {', '.join(str(file) for file in files)}", flush=True
    )
    return 0


def _count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)
