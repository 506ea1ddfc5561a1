"""The worker: takes jobs one after another, reads them in a process kept warm, and tells that it is alive.

Any number of workers may run, on any machine that sees the database and ``home``.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from types import FrameType

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from service.jobs.attempt import Attempt
from service.jobs.claim import claim, say_goodbye, show_alive
from service.jobs.process import ReadingProcess
from service.jobs.queue import QueueError
from service.jobs.sweep import forget_workers, sweep
from service.services import Services
from service.store.tables import Job
from service.store.words import JobState
from service.studies.upkeep import clean_up

logger = logging.getLogger(__name__)

ALIVE_S = 2.0
"""How often a worker shows that it is alive."""

_PAUSE_S = 1.0


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works.

    Attributes:
        reader: Dotted path ``package.module:name`` of what opens the reader in the reading process.
        sweep_s: How often lost jobs are looked for.
        clean_up_s: How often files are removed that a crash left behind.
        wait_s: How long the queue is waited for at a time.
        is_once: End when no job waits, instead of waiting for more.
    """

    reader: str = "service.jobs.reading:open_reader"
    sweep_s: float = 5.0
    clean_up_s: float = 3600.0
    wait_s: float = 0.5
    is_once: bool = False


def run_worker(services: Services, *, stop: Event, options: WorkerOptions | None = None) -> None:
    """Work until ``stop`` is set; a reading under way is then ended and its job given back."""
    worker = _Worker(services, stop, options or WorkerOptions())
    try:
        worker.run()
    finally:
        worker.close()


def stop_on_signals(stop: Event) -> None:
    """Have SIGTERM and SIGINT set an event; to be called in the main thread."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def worker_id() -> str:
    """Return a name for this process: machine, process id, and a random part, as ids of processes come again."""
    return f"{platform.node()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class _Worker:
    def __init__(self, services: Services, stop: Event, options: WorkerOptions) -> None:
        self._services, self._stop, self._options = services, stop, options
        self._id = worker_id()
        self._process = ReadingProcess(options.reader)
        self._job_id: str | None = None
        self._due = dict.fromkeys(("alive", "sweep", "clean_up"), 0.0)

    def run(self) -> None:
        while not self._stop.is_set():
            self._pulse()
            try:
                job_id = self._services.queue.take(self._options.wait_s)
                if job_id is not None:
                    self._work(job_id)
                elif self._options.is_once and not self._is_any_left():
                    return
            except (SQLAlchemyError, QueueError, OSError) as error:
                logger.error("%s; what was under way is given out again when its lease ends", _short(error))
                self._stop.wait(_PAUSE_S)

    def close(self) -> None:
        self._process.close()
        with suppress(SQLAlchemyError):  # it is forgotten after an hour in any case
            say_goodbye(self._services, self._id)

    def _work(self, job_id: str) -> None:
        held = claim(self._services, job_id, self._id)
        if held is None:
            return
        self._job_id = job_id
        try:
            Attempt(self._services, held, self._process, self._stop, self._pulse).run()
        finally:
            self._job_id = None

    def _pulse(self) -> None:
        """Do what is due; a database that cannot be reached for a moment ends no reading."""
        options = self._options
        try:
            if self._is_due("alive", ALIVE_S):
                show_alive(self._services, self._id, self._job_id)
            if self._is_due("sweep", options.sweep_s):
                sweep(self._services)
            if self._job_id is None and self._is_due("clean_up", options.clean_up_s):
                forget_workers(self._services)
                clean_up(self._services)
        except (SQLAlchemyError, QueueError) as error:
            logger.warning("%s; tried again", _short(error))

    def _is_due(self, name: str, every_s: float) -> bool:
        clock = time.monotonic()
        if clock < self._due[name]:
            return False
        self._due[name] = clock + every_s
        return True

    def _is_any_left(self) -> bool:
        """Return whether a job waits, or runs somewhere and may come back."""
        open_states = (JobState.QUEUED.value, JobState.RUNNING.value)
        with self._services.database.read() as session:
            return bool(session.scalar(select(func.count()).where(Job.state.in_(open_states))))


def _short(error: Exception) -> str:
    """Return an error's kind; the words of a database's errors hold what was written."""
    return type(error).__name__
