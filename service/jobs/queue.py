"""The queue between the web server and the workers: ids of jobs in huey's storage, first in, first out.

It lies in a file of ``home``, or in the PostgreSQL database of the service. It only saves workers from looking
for work in the table: an id that is lost is put back by ``sweep``, one that comes twice is claimed once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from huey import PostgresHuey, SqliteHuey
from huey.storage import BaseStorage
from sqlalchemy import make_url

from runtime.errors import SpineScribeError
from service.config import ServiceConfig

logger = logging.getLogger(__name__)

QUEUE_FILE = "queue.sqlite"
_NAME = "readings"
_BUSY_S = 30.0
_POLL_S = 0.1


class QueueError(SpineScribeError):
    """The queue cannot be reached; the jobs are safe in the table."""


class JobQueue:
    """Ids of jobs that wait. Only the storage of huey is used, so that nothing is pickled.

    Args:
        storage: Of a huey queue.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    @classmethod
    def open(cls, config: ServiceConfig) -> JobQueue:
        """Open the queue that belongs to a configuration."""
        if config.is_sqlite:
            file = str(config.home / QUEUE_FILE)
            return cls(SqliteHuey(_NAME, filename=file, timeout=_BUSY_S, strict_fifo=True, results=False).storage)
        address = make_url(config.sqlalchemy_url).set(drivername="postgresql")
        dsn = address.render_as_string(hide_password=False)
        return cls(PostgresHuey(_NAME, dsn=dsn, blocking=False, results=False).storage)

    def put(self, job_id: str) -> None:
        """Add a job. One that cannot be added is found in the table by the next sweep, so this never fails."""
        try:
            with _named_errors():
                self._storage.enqueue(job_id.encode("ascii"))
        except QueueError as error:
            logger.warning("job %s was not put into the queue, a sweep will: %s", job_id, error)

    def take(self, wait_s: float = 0.0) -> str | None:
        """Take the next job out of the queue.

        Args:
            wait_s: How long to wait for one.

        Raises:
            QueueError: If the queue cannot be reached.
        """
        until = time.monotonic() + wait_s
        while True:
            with _named_errors():
                data = self._storage.dequeue()
            if data is not None:
                return bytes(data).decode("ascii")
            left = until - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(_POLL_S, left))

    def ids(self) -> set[str]:
        """Return all jobs in the queue.

        Raises:
            QueueError: If the queue cannot be reached.
        """
        with _named_errors():
            return {bytes(data).decode("ascii") for data in self._storage.enqueued_items()}

    def close(self) -> None:
        """Close the connection."""
        self._storage.close()


@contextmanager
def _named_errors() -> Iterator[None]:
    """Have an error of whichever driver be ours, without its words: they may hold an address."""
    try:
        yield
    except Exception as error:
        raise QueueError(f"the queue cannot be used at the moment ({type(error).__name__})") from error
