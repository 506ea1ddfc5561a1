"""``spinescribe parse``: report text to facts, one JSON line each. Loads no network."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from runtime.errors import StudyError

_MAX_BYTES = 16 * 2**20


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "parse",
        parents=[shared],
        help="read the facts out of report text",
        description="Read a report's text into facts (level, side, condition, grade, negated, uncertain, "
        "sentence), one JSON object a line.",
    )
    parser.add_argument("text", metavar="TEXTFILE|-", help="a text file in UTF-8, or - for standard input")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the facts."""
    from reporting import parse_report

    for fact in parse_report(read_text(arguments.text)):
        print(json.dumps(fact.to_dict(), ensure_ascii=False))
    return 0


def read_text(source: str) -> str:
    """Return the text of a file, or of standard input for ``-``.

    Raises:
        StudyError: If the file cannot be read, is too large, or is not UTF-8 text.
    """
    name = "standard input" if source == "-" else Path(source).name
    try:
        if source == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(source).open("rb") as stream:
                content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise StudyError(f"{name}: expected a text file, found none ({error.strerror})") from error
    if len(content) > _MAX_BYTES:
        raise StudyError(f"{name}: expected report text of at most 16 MiB, found more")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(f"{name}: expected text in UTF-8, found other bytes at {error.start}") from error
    if "\0" in text:
        raise StudyError(f"{name}: expected report text, found binary data")
    return text
