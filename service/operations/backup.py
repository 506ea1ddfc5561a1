"""A backup of the whole service into one file, made while it runs.

First the database, consistently; then the kept files that this copy names: they never change, so they fit it. A
study deleted in between takes its files away: then all is begun anew. Not inside: the secret key, and uploads and
readings under way (the jobs of accepted studies are inside and are read again).
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import inspect

from runtime.errors import ConfigError
from service import audit
from service.config import ServiceConfig
from service.operations.archive import BLOBS, DatabaseEntry, Manifest, add_file, add_manifest
from service.operations.contents import Contents, named_blobs
from service.operations.dump import dump_postgres, dump_sqlite, sqlite_file
from service.store import BlobStore, Database
from service.store.base import now

ATTEMPTS = 3


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        file: The archive.
        bytes: Its size.
        manifest: What is inside; its ``missing`` names kept files that the store has lost.
    """

    file: Path
    bytes: int
    manifest: Manifest


def make_backup(config: ServiceConfig, file: Path) -> Backup:
    """Write a backup; the file appears whole or not at all, readable by its owner alone.

    Raises:
        ConfigError: If the file is there already, its folder is not, or there is nothing to back up.
        SpineScribeError: If the database cannot be copied.
    """
    if file.exists():
        raise ConfigError(f"{file}: expected a new file; a backup overwrites nothing")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"{file}: expected a folder that is there, for the backup to lie in")
    database = open_as_it_is(config)
    try:
        with database.begin() as session:
            # Before the copy: the backup has the line that tells of it.
            audit.append(session, "system", "store.backup")
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=file.absolute().parent) as folder:
            return _write(config, database, file, Path(folder))
    finally:
        database.close()


def open_as_it_is(config: ServiceConfig) -> Database:
    """Open the database of a service without bringing its tables up to date.

    Raises:
        ConfigError: If there is none, or it has no tables of ours.
    """
    if config.is_sqlite and not sqlite_file(config.sqlalchemy_url).is_file():
        raise ConfigError(f"there is no service in {config.home}: no database")
    database = Database(config.sqlalchemy_url)
    with database.engine.connect() as connection:
        is_ours = inspect(connection).has_table("alembic_version")
    if not is_ours:
        database.close()
        raise ConfigError("the database has no tables of ours: the service never ran on it")
    return database


def _write(config: ServiceConfig, database: Database, file: Path, folder: Path) -> Backup:
    """Copy database and files into ``folder`` and move the archive to its place."""
    part = folder / "archive.tar"
    for attempt in range(1, ATTEMPTS + 1):
        dumped = folder / f"database-{attempt}"
        contents = (dump_sqlite if config.is_sqlite else dump_postgres)(config.sqlalchemy_url, dumped)
        manifest = _pack(part, dumped, contents, BlobStore(config.blob_dir), config)
        dumped.unlink()
        if attempt == ATTEMPTS or not _were_deleted(database, manifest.missing):
            break
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.chmod(0o600)
    part.rename(file)
    return Backup(file, file.stat().st_size, manifest)


def _pack(part: Path, dumped: Path, contents: Contents, store: BlobStore, config: ServiceConfig) -> Manifest:
    blobs: dict[str, int] = {}
    missing: list[str] = []
    entry = _entry(dumped, contents, config)
    with tarfile.open(part, "w:", format=tarfile.PAX_FORMAT) as archive:
        add_file(archive, entry.file, dumped)
        for name in sorted(contents.blobs):
            size = add_file(archive, f"{BLOBS}{name}", store.path(name)) if store.check(name) else None
            if size is None:
                missing.append(name)
            else:
                blobs[name] = size
        manifest = Manifest(
            made_at=now().isoformat(), version=_version(), database=entry, blobs=blobs, missing=missing
        )
        add_manifest(archive, manifest)
    return manifest


def _entry(dumped: Path, contents: Contents, config: ServiceConfig) -> DatabaseEntry:
    with dumped.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return DatabaseEntry(
        kind="sqlite" if config.is_sqlite else "postgresql",
        bytes=dumped.stat().st_size,
        sha256=digest,
        revision=contents.revision,
        rows=contents.rows,
    )


def _were_deleted(database: Database, missing: list[str]) -> bool:
    """Return whether a missing file is not named any more: its study was deleted after the copy was made."""
    if not missing:
        return False
    with database.engine.connect() as connection:
        return not set(missing) <= named_blobs(connection).keys()


def _version() -> str:
    try:
        return version("spinescribe")
    except PackageNotFoundError:
        return "unknown"
