"""``spinescribe ask``: a question about one reading, answered from its findings or refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "ask",
        parents=[shared],
        help="ask about a reading",
        description="Answer a question from the findings of a reading: what is at a level, the worst level, a "
        "measurement, what a grade means. Anything else is refused.",
    )
    parser.add_argument("reading", type=Path, metavar="READING.json")
    parser.add_argument("question")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer and the ids it rests on."""
    from pipeline import load_reading
    from vlm.chat import answer_question

    answer = answer_question(load_reading(arguments.reading), arguments.question)
    if arguments.json:
        print(json.dumps(answer.to_dict(), ensure_ascii=False))
        return 0
    print(answer.text)
    if answer.finding_ids:
        print(f"[{', '.join(answer.finding_ids)}]")
    return 0
