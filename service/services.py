"""What every request works with: configuration, database, kept files. One per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from service.config import ServiceConfig
from service.jobs.queue import JobQueue
from service.store import BlobStore, Database


@dataclass(frozen=True)
class Services:
    """The open parts of the service."""

    config: ServiceConfig
    database: Database
    blobs: BlobStore

    @classmethod
    def open(cls, config: ServiceConfig) -> Services:
        """Open everything; makes ``home`` and brings the tables up to date."""
        for folder in (config.home, config.blob_dir, config.work_dir):
            folder.mkdir(parents=True, exist_ok=True)
        return cls(config, Database.open(config), BlobStore(config.blob_dir))

    @cached_property
    def queue(self) -> JobQueue:
        """Return the queue of jobs, opened the first time it is asked for."""
        return JobQueue.open(self.config)

    def close(self) -> None:
        """Close the connections to the database and the queue."""
        if "queue" in self.__dict__:
            self.queue.close()
        self.database.close()
