"""Bringing a service back from a backup: every byte is checked before anything is touched.

Then the kept files (adding a file never harms), then the database beside what stands: filled, counted, migrated,
its audit chain verified, and only then put in its place. All sign-ins end: a session that was ended after the
backup must not live again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import delete

from runtime.errors import ConfigError, SpineScribeError
from service import audit
from service.audit.verify import verify_log
from service.config import ServiceConfig
from service.operations.archive import BLOBS, ArchiveError, Manifest, extract, verify_archive
from service.operations.contents import contents_of
from service.operations.targets import PostgresTarget, SqliteTarget, target_of
from service.store import BlobStore, Database
from service.store.database import MIGRATIONS
from service.store.tables import LoginSession


@dataclass(frozen=True)
class Restored:
    """A backup that was restored.

    Attributes:
        manifest: What was inside.
        audit_lines: Lines of the audit log whose chain was verified.
    """

    manifest: Manifest
    audit_lines: int


def restore_backup(file: Path, config: ServiceConfig, *, replace: bool = False) -> Restored:
    """Restore a backup into the home (and database) of a configuration.

    Args:
        file: Archive of ``make_backup``.
        config: Where to.
        replace: Also where something is already.

    Raises:
        ArchiveError: If the archive is damaged, cut off, none of ours, or of a newer release.
        ConfigError: If the archive is of the other kind of database, there is something already, or it is in use.
        SpineScribeError: If the restored database is not what the manifest says; what stood then stands still.
    """
    manifest = verify_archive(file)
    _check_revision(file, manifest)
    _check_kind(file, manifest, config)
    target = target_of(config)
    _check_room(target, config, replace)
    for folder in (config.home, config.blob_dir, config.work_dir):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=config.home) as staging:
        dumped = Path(staging) / manifest.database.file
        _unpack(file, manifest, dumped, BlobStore(config.blob_dir))
        with target.filled(dumped) as database:
            lines = _settle(file, manifest, database)
    return Restored(manifest, lines)


def _check_revision(file: Path, manifest: Manifest) -> None:
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if manifest.database.revision not in known:
        raise ArchiveError(
            f"{file.name}: its tables are of revision {manifest.database.revision!r}, which this release does not "
            f"know; restore it with SpineScribe {manifest.version} or newer"
        )


def _check_kind(file: Path, manifest: Manifest, config: ServiceConfig) -> None:
    kind = "sqlite" if config.is_sqlite else "postgresql"
    if manifest.database.kind != kind:
        raise ConfigError(
            f"{file.name}: it holds a {manifest.database.kind} database and the service is set to {kind} "
            "(SPINESCRIBE_DATABASE_URL); restore it to its own kind"
        )


def _check_room(target: SqliteTarget | PostgresTarget, config: ServiceConfig, replace: bool) -> None:
    is_new = target.is_empty() and not any(True for _ in BlobStore(config.blob_dir).names())
    if not is_new and not replace:
        raise ConfigError(
            f"{config.home} or its database is not empty; restore into a new home (--into HOME), or say --replace"
        )
    target.check_unused()


def _unpack(file: Path, manifest: Manifest, dumped: Path, store: BlobStore) -> None:
    """Write the database to ``dumped`` and keep the files; one that is there and whole is left as it is."""
    for name, pieces in extract(file, manifest):
        if not name.startswith(BLOBS):
            _write(dumped, pieces)
        elif not store.check(name.removeprefix(BLOBS)):
            store.put_chunks(pieces)


def _write(file: Path, pieces: Iterator[bytes]) -> None:
    with file.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)


def _settle(file: Path, manifest: Manifest, database: Database) -> int:
    """Count, migrate and verify a restored database, end all sign-ins, tell of it; return the lines of the log."""
    with database.engine.connect() as connection:
        rows = contents_of(connection).rows
    expected = manifest.database.rows
    if {name: rows.get(name) for name in expected} != expected:
        raise ArchiveError(f"{file.name}: the restored tables have other numbers of rows than the manifest says")
    database.upgrade()
    lines = _verify_chain(database)
    with database.begin() as session:
        session.execute(delete(LoginSession))
        audit.append(session, "system", "store.restore", details={"made_at": manifest.made_at})
    return lines


def _verify_chain(database: Database) -> int:
    """Walk the audit log; return how many lines it has.

    Raises:
        SpineScribeError: If a line is missing or differs from its hash.
    """
    with database.read() as session:
        found = verify_log(session)
    if not found.is_intact:
        raise SpineScribeError(f"the audit log of the backup is not as it was written: {found.message}")
    return found.count
