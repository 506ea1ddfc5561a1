"""The database: engine, sessions and migrations; SQLite in write-ahead mode by default, PostgreSQL by address.

Every session is one transaction. On SQLite one that may write takes the lock when it begins (BEGIN IMMEDIATE): two
writers wait for each other instead of failing half way; readers are never stopped (WAL).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from service.config import ServiceConfig

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 30.0
_THREADS = 43
"""Connections kept: one for each of anyio's 40 threads and of two that upload, and one for the event loop."""


class Database:
    """An engine and what makes sessions of it.

    Args:
        url: SQLAlchemy's address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = build_engine(url)
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._soft = sessionmaker(self.engine.execution_options(spinescribe_is_soft=True), expire_on_commit=False)
        # SQLite has one writer, and makes who waits sleep and try again: those of this process take turns here.
        self._turn = Lock() if url.startswith("sqlite") else nullcontext()
        self._readable = self.engine.execution_options(spinescribe_reads_only=True)
        self._read = sessionmaker(self._readable, expire_on_commit=False, autoflush=False)

    @classmethod
    def open(cls, config: ServiceConfig) -> Database:
        """Open the database of a configuration and bring its tables up to date."""
        config.home.mkdir(parents=True, exist_ok=True)
        database = cls(config.sqlalchemy_url)
        database.upgrade()
        return database

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction that may write; committed at the end, rolled back on an error."""
        with self._turn, self._write.begin() as session:
            yield session

    @contextmanager
    def begin_soft(self) -> Iterator[Session]:
        """Open a writing transaction whose commit does not wait for the disk.

        It outlives every process, but not a power failure within the next moments: for what a look at something
        leaves behind. The next commit of ``begin`` makes it safe too.
        """
        with self._turn, self._soft.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads: it waits for no writer."""
        with self._read() as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Open a reading transaction without the objects of a session: for what every request asks."""
        with self._readable.connect() as connection:
            yield connection

    def upgrade(self, revision: str = "head") -> None:
        """Apply migrations up to a revision."""
        with self.engine.connect() as connection:
            command.upgrade(_alembic(connection), revision)

    def downgrade(self, revision: str) -> None:
        """Take migrations back to a revision (``base``: to none)."""
        with self.engine.connect() as connection:
            command.downgrade(_alembic(connection), revision)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def build_engine(url: str) -> Engine:
    """Return an engine; on SQLite with write-ahead log, foreign keys and immediate transactions."""
    # Values of statements and rows (hashes of passwords, texts of reports) are in no log line and no error.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    # A connection for each thread, kept: no request waits for one, none is opened anew in a burst.
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, pool_size=_THREADS)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    options = {"timeout": _BUSY_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=options, hide_parameters=True, pool_size=_THREADS)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={int(_BUSY_S * 1000)}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("spinescribe_reads_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    is_soft = options.get("spinescribe_is_soft", False)
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if is_soft else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Any) -> None:
    if connection.get_execution_options().get("spinescribe_is_soft", False):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def _alembic(connection: Any) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return config
