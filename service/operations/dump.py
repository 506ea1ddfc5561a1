"""A consistent copy of a database in use: SQLite by its online backup, PostgreSQL by pg_dump of one snapshot.

What the copy holds (rows, names of kept files) is told of the copy itself, not of the database as it is a moment
later.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from runtime.errors import ConfigError, SpineScribeError
from service.operations.contents import Contents, contents_of
from service.operations.postgres_tools import run_tool
from service.store.database import build_engine

_BUSY_S = 60.0


def sqlite_file(url: str) -> Path:
    """Return the file of an SQLite address.

    Raises:
        ConfigError: If it is a database in memory.
    """
    name = make_url(url).database
    if not name or name == ":memory:":
        raise ConfigError("expected a database in a file; one in memory cannot be backed up")
    return Path(name)


def dump_sqlite(url: str, target: Path) -> Contents:
    """Copy an SQLite database, in use or not, into a new file without a write-ahead log.

    Raises:
        ConfigError: If there is no database yet.
        SpineScribeError: If SQLite finds the copy damaged.
    """
    file = sqlite_file(url)
    if not file.is_file():
        raise ConfigError(f"there is no database {file.name} in {file.parent}: nothing to back up")
    with closing(sqlite3.connect(file, timeout=_BUSY_S)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    check_sqlite(target)
    engine = create_engine(f"sqlite:///{target}")
    try:
        with engine.connect() as connection:
            return contents_of(connection)
    finally:
        engine.dispose()


def check_sqlite(file: Path) -> None:
    """Let SQLite check a database file.

    Raises:
        SpineScribeError: If it finds it damaged.
    """
    with closing(sqlite3.connect(file)) as connection:
        try:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            said = str(error)
    if said != "ok":
        raise SpineScribeError(f"{file.name}: SQLite finds the database damaged: {said[:200]}")


def dump_postgres(url: str, target: Path) -> Contents:
    """Let pg_dump write a PostgreSQL database, as of the snapshot in which its contents are told."""
    engine = build_engine(url).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    try:
        with engine.connect() as connection:
            snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
            contents = contents_of(connection)
            run_tool(
                "pg_dump",
                url,
                "--format=custom",
                "--schema=public",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={target}",
            )
            return contents
    finally:
        engine.dispose()
