"""Where a backup is restored to: an SQLite file or a PostgreSQL database, filled beside what stands.

Until the new one has been checked nothing that stood is changed; then it is kept beside as a file (SQLite) or
dropped (PostgreSQL).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text

from runtime.errors import ConfigError
from service.config import ServiceConfig
from service.operations.contents import contents_of
from service.operations.dump import check_sqlite, sqlite_file
from service.operations.postgres_tools import run_tool
from service.store import Database
from service.store.base import now
from service.store.database import build_engine

_IN_USE = "the database is in use{who}: stop the application and its workers before restoring"


def target_of(config: ServiceConfig) -> SqliteTarget | PostgresTarget:
    """Return the place that a configuration names."""
    return SqliteTarget(config) if config.is_sqlite else PostgresTarget(config)


class SqliteTarget:
    """A file; the one that stood is kept beside it under a name with the time.

    Args:
        config: Whose database it is.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._file = sqlite_file(config.sqlalchemy_url)

    def is_empty(self) -> bool:
        """Return whether there is no file, or one without rows."""
        if not self._file.is_file():
            return True
        engine = create_engine(f"sqlite:///{self._file}")
        try:
            with engine.connect() as connection:
                return contents_of(connection).is_empty
        finally:
            engine.dispose()

    def check_unused(self) -> None:
        """Take the file out of write-ahead mode, which takes it to be nobody else's; nothing of it is lost.

        Raises:
            ConfigError: If another process has it open.
        """
        if not self._file.is_file():
            return
        with closing(sqlite3.connect(self._file, timeout=0.0)) as connection:
            try:
                mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            except sqlite3.OperationalError:
                mode = "locked"
        if mode != "delete":
            raise ConfigError(_IN_USE.format(who=""))

    @contextmanager
    def filled(self, dumped: Path) -> Iterator[Database]:
        """Give the copy as a database; move it to its place at the end."""
        check_sqlite(dumped)
        database = Database(f"sqlite:///{dumped}")
        try:
            yield database
        finally:
            database.close()
        with closing(sqlite3.connect(dumped)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        self.check_unused()
        if self._file.is_file():
            os.link(self._file, self._file.with_name(f"{self._file.name}.replaced-{now():%Y%m%dT%H%M%S%f}"))
        os.replace(dumped, self._file)


class PostgresTarget:
    """A database; what stood waits in a schema of another name until the new tables have been checked.

    Args:
        config: Whose database it is.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._url = config.sqlalchemy_url

    def is_empty(self) -> bool:
        """Return whether it has no row of ours."""
        with self._connection() as connection:
            return contents_of(connection).is_empty

    def check_unused(self) -> None:
        """Look who else is connected.

        Raises:
            ConfigError: If anybody is.
        """
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with self._connection() as connection:
            count = connection.scalar(text(others)) or 0
        if count:
            raise ConfigError(_IN_USE.format(who=f" by {count} other connections"))

    @contextmanager
    def filled(self, dumped: Path) -> Iterator[Database]:
        """Let pg_restore fill a fresh schema; drop the old one at the end, bring it back on an error."""
        aside = f"replaced_{now():%Y%m%d%H%M%S%f}"
        with self._connection() as connection:
            if not inspect(connection).has_schema("public"):
                raise ConfigError("expected a PostgreSQL database with the schema public")
            self._run(connection, f"ALTER SCHEMA public RENAME TO {aside}", "CREATE SCHEMA public")
        database = Database(self._url)
        try:
            run_tool(
                "pg_restore",
                self._url,
                "--schema=public",
                "--no-owner",
                "--no-privileges",
                "--single-transaction",
                "--exit-on-error",
                str(dumped),
            )
            yield database
        except BaseException:
            database.close()
            with self._connection() as connection:
                self._run(connection, "DROP SCHEMA public CASCADE", f"ALTER SCHEMA {aside} RENAME TO public")
            raise
        database.close()
        with self._connection() as connection:
            self._run(connection, f"DROP SCHEMA {aside} CASCADE")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        engine = build_engine(self._url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    @staticmethod
    def _run(connection: Connection, *statements: str) -> None:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
