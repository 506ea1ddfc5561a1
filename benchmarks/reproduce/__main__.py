"""Do the shipped weights still give the figures that were stored? Nothing is trained.

    python -m benchmarks.reproduce [--only PART ...] [--list] [--update]

Runs the parts of ``configs/reproduce/parts.yaml`` one after another, each in processes and an empty folder of its
own, and compares what they find with ``configs/reproduce/expected.csv``. A part whose data or programs are not
there is skipped and named; one that fails does not stop the others. Prints a Markdown table and writes
``runs/benchmarks/reproduce.json``. Exit code: 0 when every figure of every part that could be run is inside its
tolerance, 1 when one is not (or has no stored value) or a part failed, 2 when the plan is wrong. ``--update``
stores the found values as the expected ones and keeps the tolerances; for maintainers, after a wanted change.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.reproduce.compare import Compared, Outcome, State, Verdict, summary_text, table_text
from benchmarks.reproduce.plan import EXPECTED_FILE, PARTS_FILE, Part, choose, load_plan, write_expected
from benchmarks.reproduce.run import missing_needs, run_part
from runtime.errors import ConfigError, WeightsError
from runtime.provenance import collect_provenance
from runtime.settings import load_settings
from runtime.weights import open_weights

OUT = Path("runs/benchmarks/reproduce.json")
FOLDER = Path("runs/reproduce")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare, print and write; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        parts = choose(load_plan(options.parts, options.expected), options.only)
    except ConfigError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return error.exit_code
    if options.list:
        print(list_text(parts, load_settings().data_dir))
        return 0
    outcomes = run_all(parts, options.folder)
    if options.update:
        outcomes = update(outcomes, options.expected)
    print(f"\n{table_text(outcomes)}\n\n{summary_text(outcomes)}")
    write_record(outcomes, parts, options.out)
    return 0 if all(item.is_reproduced for item in outcomes) else 1


def run_all(parts: Sequence[Part], folder: Path) -> list[Outcome]:
    """Run the parts one after another and tell how each went."""
    data_dir = load_settings().data_dir
    outcomes = []
    for number, part in enumerate(parts, start=1):
        print(f"[{number}/{len(parts)}] {part.name}: {part.about}{_minutes(part, ' (about {} min)')}", flush=True)
        outcome = run_part(part, folder, data_dir)
        print(f"    {_outcome_text(outcome)}", flush=True)
        outcomes.append(outcome)
    return outcomes


def update(outcomes: Sequence[Outcome], expected: Path) -> list[Outcome]:
    """Store what was found as expected; return the outcomes as they now stand."""
    found = {
        (outcome.part, item.figure.pointer): item.found
        for outcome in outcomes
        for item in outcome.figures
        if item.found is not None
    }
    print(f"\n{write_expected(found, expected)} expected values changed in {expected}")
    return [replace(outcome, figures=tuple(_stored(item) for item in outcome.figures)) for outcome in outcomes]


def _stored(item: Compared) -> Compared:
    if item.found is None:
        return item
    return Compared(replace(item.figure, expected=item.found), item.found, Verdict.REPRODUCED)


def list_text(parts: Sequence[Part], data_dir: Path) -> str:
    """Return the parts as a Markdown table: what each judges, how long it takes, whether it can be run here."""
    lines = ["| part | measures | weights | figures | minutes | here |", "|" + "---|" * 6]
    for part in parts:
        weights = ", ".join(part.weights) or "-"
        missing = missing_needs(part, data_dir)
        here = f"skipped: {missing}" if missing else "yes"
        minutes = _minutes(part, "{}") or "-"
        lines.append(f"| {part.name} | {part.about} | {weights} | {len(part.figures)} | {minutes} | {here} |")
    return "\n".join(lines)


def write_record(outcomes: Sequence[Outcome], parts: Sequence[Part], file: Path) -> None:
    """Write all that was compared, with what it was measured on."""
    record = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "provenance": collect_provenance(
            weights={name: _checksum(name) for part in parts for name in part.weights},
            config={part.name: part.commands for part in parts},
        ).to_dict(),
        "reproduced": all(item.is_reproduced for item in outcomes),
        "parts": {outcome.part: _outcome_record(outcome) for outcome in outcomes},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _outcome_record(outcome: Outcome) -> dict[str, object]:
    figures = {
        item.figure.pointer: {
            "expected": item.figure.expected,
            "found": item.found,
            "difference": item.difference,
            "tolerance": item.figure.tolerance,
            "verdict": item.verdict.value,
        }
        for item in outcome.figures
    }
    return {
        "state": outcome.state.value,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 1),
        "figures": figures,
    }


def _checksum(name: str) -> str:
    try:
        return open_weights(name, load_settings().weights_dir).checksum
    except WeightsError as error:
        return f"unknown: {error}"


def _outcome_text(outcome: Outcome) -> str:
    if outcome.state is not State.RUN:
        return f"{outcome.state.value} after {outcome.seconds:.0f} s: {outcome.reason}"
    good = sum(item.verdict is Verdict.REPRODUCED for item in outcome.figures)
    return f"{outcome.seconds:.0f} s: {good} of {len(outcome.figures)} figures reproduced"


def _minutes(part: Part, text: str) -> str:
    return "" if part.minutes is None else text.format(f"{part.minutes:g}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reproduce",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="PART", help="only these parts")
    parser.add_argument("--list", action="store_true", help="tell the parts, and which can be run here")
    parser.add_argument("--update", action="store_true", help="store what is found as expected (maintainers)")
    parser.add_argument("--parts", type=Path, default=PARTS_FILE, help="the plan")
    parser.add_argument("--expected", type=Path, default=EXPECTED_FILE, help="the stored figures")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="what the parts write, a folder each, emptied")
    parser.add_argument("--out", type=Path, default=OUT, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
