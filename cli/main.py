"""``spinescribe``: the entry of the command line, its exit codes and its last line of defence.

Exit codes: 0 done; 2 the input or an option is bad; 3 the study is not eligible; 1 our fault; 130 stopped by hand.
No module of a command imports a network, DICOM or the web before its command runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cli import (
    ask,
    audit,
    backup,
    check_store,
    compare,
    deidentify,
    demo,
    evaluate,
    explain,
    faults,
    import_labels,
    pacs,
    parse,
    phantom,
    read,
    restore,
    serve,
    train,
    user,
    worker,
)
from runtime.errors import SpineScribeError

_COMMANDS = (
    read, import_labels, ask, explain, compare, parse, phantom, deidentify, train, evaluate, serve, worker,
    user, audit, pacs, backup, restore, check_store, demo,
)  # fmt: skip
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "false",
}
STOPPED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after ``spinescribe``; None takes those of the process.

    Returns:
        The exit code.
    """
    os.environ.update(_ENVIRONMENT)
    arguments = build_parser().parse_args(argv)
    faults.configure_logging(debug=arguments.debug)
    try:
        code: int = arguments.run(arguments)
        return code
    except SpineScribeError as error:
        faults.say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        faults.say("stopped")
        return STOPPED
    except BrokenPipeError:
        # The reader of our output (`| head`) has seen enough. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        folder = getattr(arguments, "out", None) or Path(tempfile.gettempdir())
        faults.report_fault(error, folder, debug=arguments.debug)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="spinescribe",
        description="Reads a spine MRI study and drafts the report. Research use only; not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"spinescribe {_our_version()}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers, shared)
    return parser


def _our_version() -> str:
    try:
        return version("spinescribe")
    except PackageNotFoundError:
        return "of an uninstalled checkout"


if __name__ == "__main__":
    sys.exit(main())
