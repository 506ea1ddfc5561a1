"""What every request works with: configuration, database, kept files. One per process."""

from __future__ import annotations

from dataclasses import dataclass

from service.config import ServiceConfig
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
