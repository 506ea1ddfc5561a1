"""A worker beside the web server, for one command that starts all: started, restarted and ended with it."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.config import ServiceConfig
from service.jobs.worker import WorkerOptions

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_END_S = 15.0


class EmbeddedWorker:
    """Keeps one worker process running.

    Args:
        config: Settings of the service; the worker gets the same.
        reader: Dotted path of what opens the reader in the reading process.
    """

    def __init__(self, config: ServiceConfig, *, reader: str = WorkerOptions.reader) -> None:
        self._command = [sys.executable, "-m", "service.jobs", "--with-parent", "--reader", reader]
        self._environment = {**os.environ, **environment_of(config)}
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="worker-keeper", daemon=True)

    @property
    def pid(self) -> int | None:
        """Return the worker's process id."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the worker; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker in order: it gives back the job it has; killed when it takes too long."""
        self._stop.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            process.kill()
        self._thread.join(_END_S)

    def _keep(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stop.is_set():
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, cwd=_ROOT
            )
            if self._stop.is_set():
                self._process.terminate()
            code = self._process.wait()
            if not self._stop.is_set():
                logger.warning("the worker ended (%s); started again in %g s", code, pause)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)


@contextmanager
def embedded_worker(config: ServiceConfig, *, reader: str = WorkerOptions.reader) -> Iterator[EmbeddedWorker]:
    """Run a worker as long as the context is open."""
    worker = EmbeddedWorker(config, reader=reader)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def environment_of(config: ServiceConfig) -> dict[str, str]:
    """Return the settings that a worker needs, as variables of the environment."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "SPINESCRIBE_HOME": str(config.home.absolute()),
        "SPINESCRIBE_DATABASE_URL": config.database_url,
        "SPINESCRIBE_DATABASE_URL_FILE": "",
        "SPINESCRIBE_JOB_TIMEOUT_S": str(max(1, round(config.job_timeout_s))),
        "SPINESCRIBE_JOB_MEMORY_MB": str(config.job_memory_mb),
        "SPINESCRIBE_JOB_ATTEMPTS": str(config.job_attempts),
    }
