"""``spinescribe demo``: a synthetic study from nothing to a draft report, in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import faults
from cli.read import Job, open_reader, read_one

_SEED = 7


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        parents=[shared],
        help="make a synthetic study, read it, print its report",
        description="Make a synthetic lumbar study (seed 7), read its DICOM zip and print the draft report.",
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="default: out/demo")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the phantom to DIR/phantom and its reading to DIR/reading, and print the report."""
    from imaging.phantom import build_phantom, write_phantom_study
    from pipeline import ReadOptions

    phantom, reading = arguments.out / "phantom", arguments.out / "reading"
    faults.say(f"making a synthetic lumbar study (seed {_SEED})")
    write_phantom_study(build_phantom("lumbar", seed=_SEED), phantom)
    job = Job(phantom / "study.zip", reading)
    code = read_one(
        open_reader("auto"), job, ReadOptions(protocol="lumbar"), title=job.path.name, debug=arguments.debug
    )
    if code == 0:
        print(f"\n{(reading / 'report.md').read_text(encoding='utf-8')}")
        print(f"What was made and known: {phantom / 'truth.json'} and {phantom / 'reference_report.md'}")
        print(f"What was read: {', '.join(str(file) for file in sorted(reading.iterdir()))}")
    return code
