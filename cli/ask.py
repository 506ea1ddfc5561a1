"""``spinescribe ask``: questions about one reading, answered from its findings or refused."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlm.chat import Answer


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "ask",
        parents=[shared],
        help="ask about a reading",
        description="Answer a question from the findings of a reading: what is at a level, the worst level, a "
        "measurement, what a grade means, what changed since an earlier study. Anything else is refused. Without "
        "a question, the lines of standard input are the questions of one conversation.",
    )
    parser.add_argument("reading", type=Path, metavar="READING.json")
    parser.add_argument("question", nargs="?", help="one question; none: read them from standard input")
    parser.add_argument("--json", action="store_true", help="print each answer as one line of JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print each answer and the ids it rests on."""
    from pipeline import load_reading
    from vlm.chat import Conversation, answer_question

    reading = load_reading(arguments.reading)
    if arguments.question is not None:
        _print(answer_question(reading, arguments.question), as_json=arguments.json)
        return 0
    conversation = Conversation()
    for line in sys.stdin.buffer:
        question = line.decode("utf-8", errors="replace").strip()
        if question:
            answer = answer_question(reading, question, conversation)
            conversation = conversation.then(question, answer)
            _print(answer, as_json=arguments.json)
    return 0


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer.to_dict(), ensure_ascii=False), flush=True)
        return
    print(answer.text, flush=True)
    if answer.finding_ids:
        print(f"[{', '.join(answer.finding_ids)}]", flush=True)
