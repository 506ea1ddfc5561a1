"""How the command line speaks of trouble: one sentence on the screen, the traceback in a file."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

ERROR_LOG = "error.log"
_ROOMS = ("cli", "service", "pipeline", "vlm", "reporting", "grading", "segmentation", "imaging", "runtime")


def say(message: str) -> None:
    """Write one message to the error stream, on one line."""
    print(f"spinescribe: {' '.join(message.split())}", file=sys.stderr, flush=True)


def configure_logging(*, debug: bool) -> None:
    """Send warnings (with ``debug`` everything of ours) to the error stream; tracebacks only with ``debug``."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("spinescribe: %(message)s" if not debug else "%(name)s: %(message)s"))
    if not debug:
        handler.addFilter(_drop_traceback)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in _ROOMS:
        logging.getLogger(room).setLevel(logging.DEBUG if debug else logging.NOTSET)


def report_fault(error: Exception, folder: Path, *, debug: bool) -> Path | None:
    """Put the traceback of an unexpected error into ``folder``/error.log and say so in one sentence.

    Returns:
        The log file; None when it could not be written either (the traceback then goes to the screen).
    """
    text = "".join(traceback.format_exception(error))
    file = folder / ERROR_LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as failure:
        say(f"an unexpected error of ours ({type(error).__name__}); {file} cannot be written: {failure.strerror}")
        print(text, file=sys.stderr)
        return None
    say(f"an unexpected error of ours ({type(error).__name__}); the details are in {file}")
    if debug:
        print(text, file=sys.stderr)
    return file


def _drop_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    record.exc_text = None
    return True
