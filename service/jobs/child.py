"""The process that reads: ``python -m service.jobs.child READER DESCRIPTOR``; the worker is at the other end.

It opens the reader once and answers one request after another. Requests and answers are JSON in the framing of
``multiprocessing.Connection``; no pickle: what comes from a process that handled a stranger's file runs no code.

Request: ``{"source": path, "folder": path, "options": {...}}``. Answers: ``{"progress": [stage, fraction,
message]}`` any number of times, then ``{"done": {...}}`` or ``{"error": {"kind", "code", "message"}}``.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import NotEligibleError, SpineScribeError
from runtime.progress import Progress

logger = logging.getLogger(__name__)

STUDY, NOT_ELIGIBLE, FAULT = "study", "not_eligible", "fault"
"""Kinds of errors: the study's, the gate's, ours."""
FAULT_WORDS = "a fault of ours while reading it; the server's log says more. Nothing was lost: try it again"
_WATCH_S = 0.5


class StudyReader(Protocol):
    """What reads a study: a callable that a dotted path names returns one."""

    def read(self, source: Path, folder: Path, options: dict[str, Any]) -> Iterator[Progress | dict[str, Any]]:
        """Read a file.

        Args:
            source: The upload.
            folder: Empty folder for the files of the reading.
            options: Of the job, with ``prior`` (content of an earlier reading.json) where there is one.

        Yields:
            Progress and, last, what ``finish.Outcome`` holds as plain data.

        Raises:
            SpineScribeError: With one sentence for the user.
        """
        ...


def main(reader: str, descriptor: int) -> int:
    """Answer requests until the worker closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="spinescribe: reading: %(message)s")
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    connection = Connection(descriptor)
    opened: StudyReader | None = None
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return 0
        try:
            if opened is None:
                opened = _named(reader)()
            for event in opened.read(Path(request["source"]), Path(request["folder"]), request["options"]):
                _send(connection, _plain(event))
        except BrokenPipeError:
            return 0
        except Exception as error:
            _send(connection, {"error": _told(error)})


def _plain(event: Progress | dict[str, Any]) -> dict[str, Any]:
    if isinstance(event, Progress):
        return {"progress": [event.stage, event.fraction, event.message]}
    return {"done": event}


def _told(error: Exception) -> dict[str, str | None]:
    """Return an error as the user may read it; of one that nobody foresaw the words stay out, also of the log."""
    if isinstance(error, NotEligibleError):
        return {"kind": NOT_ELIGIBLE, "code": error.code, "message": str(error)}
    if isinstance(error, SpineScribeError) and error.exit_code == 2:
        return {"kind": STUDY, "code": getattr(error, "code", None), "message": str(error)}
    if isinstance(error, SpineScribeError):
        logger.error("%s: %s", type(error).__name__, error)
    else:
        frames = "".join(traceback.format_tb(error.__traceback__))
        name = type(error).__name__
        logger.error("an unexpected %s; its words are left out, they may quote the file\n%s", name, frames)
    return {"kind": FAULT, "code": "internal", "message": FAULT_WORDS}


def _send(connection: Connection, answer: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(answer).encode())


def _named(path: str) -> Callable[[], StudyReader]:
    """Return the callable that ``package.module:name`` names."""
    module, _, name = path.partition(":")
    found: Callable[[], StudyReader] = getattr(importlib.import_module(module), name)
    return found


def _end_with_parent(parent: int) -> None:
    """End this process and all it started when the worker is gone, however it ended."""
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
