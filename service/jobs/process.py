"""The worker's end of the process that reads: start it, ask it, hear from it, measure it, kill it.

It is kept between jobs, so that models are loaded once, and runs in a session of its own: a signal to the worker
does not reach it, and all it started goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

_ROOT = Path(__file__).resolve().parents[2]
_END_S = 5.0
_SECRETS = ("SPINESCRIBE_DATABASE_", "SPINESCRIBE_SECRET_KEY", "SPINESCRIBE_OIDC_")


class ProcessEndedError(Exception):
    """The process that read ended without an answer."""


class ReadingProcess:
    """A process that reads one study at a time.

    Args:
        reader: Dotted path ``package.module:name`` of the callable that opens the reader there.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Return the process's id, or None when there is none."""
        return None if self._process is None else self._process.pid

    def ask(self, source: Path, folder: Path, options: dict[str, Any]) -> None:
        """Have a file read; a process is started if there is none."""
        request = {"source": str(source), "folder": str(folder), "options": options}
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._start()
        assert self._connection is not None
        try:
            self._connection.send_bytes(json.dumps(request).encode())
        except OSError as error:
            raise ProcessEndedError from error

    def hear(self, wait_s: float) -> dict[str, Any] | None:
        """Return the next answer, or None when none came in time.

        Raises:
            ProcessEndedError: If the process ended instead.
        """
        assert self._connection is not None
        try:
            if not self._connection.poll(wait_s):
                return None
            answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise ProcessEndedError from error
        return answer

    def memory_bytes(self) -> int:
        """Return the resident memory of the process and of all it started."""
        total = 0
        for process in self._family():
            with contextlib.suppress(psutil.Error):  # one that ended meanwhile holds nothing
                total += int(process.memory_info().rss)
        return total

    def kill(self) -> None:
        """End the process and all it started, at once; the next request starts another."""
        family = self._family()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._process.wait()
        self._forget()

    def close(self) -> None:
        """End an idle process in order: it leaves when its pipe is closed."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self.kill()

    def _start(self) -> None:
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service.jobs.child", self._reader, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=child_environment(),
            )
        self._connection = ours

    def _family(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            head = psutil.Process(self._process.pid)
            return [head, *head.children(recursive=True)]
        except psutil.Error:
            return []

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def child_environment() -> dict[str, str]:
    """Return the environment of the process that reads: ours, without the keys and addresses of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)}
    paths = [str(_ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def wait_or_kill(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a process that leads a session of its own; return its exit code.

    Returns:
        None when it took too long; then it was ended with all it started, as it is on any error.
    """
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
