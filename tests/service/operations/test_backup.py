"""Backup while the service writes, restore elsewhere: the same rows, the same files, nothing half."""

import dataclasses
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from runtime.errors import ConfigError, SpineScribeError
from service.config import ServiceConfig
from service.operations import make_backup, restore_backup
from service.operations.contents import contents_of
from service.services import Services
from service.store import BlobStore, Database
from service.store.base import Base
from service.store.tables import AuditEntry, LoginSession, Study, User
from tests.service.operations.conftest import add_kept_study, sqlite_first

UNCOMPARED = {"sessions", "audit"}


def rows_of(database: Database) -> dict[str, list[Any]]:
    """Return all rows of all tables but those that a restore changes."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in UNCOMPARED]
    with database.engine.connect() as connection:
        return {table.name: sorted(connection.execute(select(table)).all(), key=str) for table in tables}


def test_what_is_restored_is_what_was_there(filled: Services, second: ServiceConfig, tmp_path: Path) -> None:
    made = make_backup(filled.config, tmp_path / "backup.tar")
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert not made.manifest.missing
    restored = restore_backup(made.file, second)
    assert restored.audit_lines == 2
    other = Services.open(second)
    assert rows_of(other.database) == rows_of(filled.database)
    assert list(other.blobs.names()) == list(filled.blobs.names())
    assert all(other.blobs.check(name) for name in other.blobs.names())
    with other.database.read() as session:
        assert [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.seq)] == [
            "study.add",
            "store.backup",
            "store.restore",
        ]
        assert session.query(LoginSession).count() == 0
    other.database.close()


def test_a_backup_made_while_the_service_writes_is_whole(
    filled: Services, second: ServiceConfig, document: dict[str, Any], tmp_path: Path
) -> None:
    stop, added = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            added.append(add_kept_study(filled, document, f"rad-{len(added)}"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(added) < 3:
            stop.wait(0.01)
        made = make_backup(filled.config, tmp_path / "backup.tar")
    finally:
        stop.set()
        writer.join()
    assert not made.manifest.missing
    restore_backup(made.file, second)
    other = Services.open(second)
    with other.database.engine.connect() as connection:
        contents = contents_of(connection)
    assert contents.rows["users"] >= contents.rows["studies"] == contents.rows["reading_files"] >= 4
    assert all(other.blobs.check(name) for name in contents.blobs)
    other.database.close()


@sqlite_first
def test_a_study_deleted_meanwhile_begins_the_backup_anew(
    filled: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.operations import backup

    tries = []
    pack: Callable[..., Any] = backup._pack

    def delete_first(*arguments: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            with filled.database.begin() as session:
                name = session.scalars(select(Study.upload_sha256)).one()
                session.execute(update(Study).values(upload_sha256=filled.blobs.put(b"other").sha256))
            filled.blobs.path(name).unlink()
        return pack(*arguments)

    monkeypatch.setattr(backup, "_pack", delete_first)
    assert not make_backup(filled.config, tmp_path / "backup.tar").manifest.missing
    assert len(tries) == 2


@sqlite_first
def test_a_lost_file_is_told_and_the_rest_is_backed_up(
    filled: Services, second: ServiceConfig, tmp_path: Path
) -> None:
    with filled.database.read() as session:
        lost = session.scalars(select(Study.upload_sha256)).one()
    filled.blobs.path(lost).write_bytes(b"damaged")
    made = make_backup(filled.config, tmp_path / "backup.tar")
    assert made.manifest.missing == [lost]
    assert restore_backup(made.file, second).manifest.missing == [lost]


def test_a_home_that_is_not_empty_is_left_alone(filled: Services, second: ServiceConfig, tmp_path: Path) -> None:
    made = make_backup(filled.config, tmp_path / "backup.tar")
    restore_backup(made.file, second)
    filled.database.close()
    add_to(second, "later")
    with pytest.raises(ConfigError, match="not empty"):
        restore_backup(made.file, second)
    assert names_in(second) == {"rad", "later"}
    restore_backup(made.file, second, replace=True)
    assert names_in(second) == {"rad"}
    kept = list(second.home.glob("*.replaced-*"))
    assert len(kept) == (1 if second.is_sqlite else 0)
    assert not list(second.home.glob(".restore-*"))


def add_to(config: ServiceConfig, name: str) -> None:
    database = Database(config.sqlalchemy_url)
    with database.begin() as session:
        session.add(User(name=name))
    database.close()


def names_in(config: ServiceConfig) -> set[str]:
    database = Database(config.sqlalchemy_url)
    with database.read() as session:
        names = set(session.scalars(select(User.name)))
    database.close()
    return names


def test_a_database_in_use_is_left_alone(filled: Services, second: ServiceConfig, tmp_path: Path) -> None:
    made = make_backup(filled.config, tmp_path / "backup.tar")
    with filled.database.read() as session:
        session.query(User).count()
        with pytest.raises(ConfigError, match="in use"):
            restore_backup(made.file, filled.config, replace=True)
    assert names_in(filled.config) == {"rad"}


def test_a_changed_audit_log_is_not_restored(filled: Services, second: ServiceConfig, tmp_path: Path) -> None:
    restore_backup(make_backup(filled.config, tmp_path / "good.tar").file, second)
    trigger = "audit_no_update" if filled.config.is_sqlite else "audit_append_only ON audit"
    with filled.database.begin() as session:
        session.execute(text(f"DROP TRIGGER {trigger}"))
        session.execute(update(AuditEntry).where(AuditEntry.seq == 1).values(actor="somebody"))
    made = make_backup(filled.config, tmp_path / "tampered.tar")
    with pytest.raises(SpineScribeError, match="audit log of the backup"):
        restore_backup(made.file, second, replace=True)
    assert names_in(second) == {"rad"}
    restore_backup(tmp_path / "good.tar", second, replace=True)


@sqlite_first
def test_an_archive_of_the_other_kind_is_refused(filled: Services, tmp_path: Path) -> None:
    made = make_backup(filled.config, tmp_path / "backup.tar")
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none" if filled.config.is_sqlite else ""
    with pytest.raises(ConfigError, match="restore it to its own kind"):
        restore_backup(made.file, dataclasses.replace(filled.config, home=tmp_path / "x", database_url=url))


@sqlite_first
def test_a_backup_overwrites_nothing_and_needs_a_service(filled: Services, tmp_path: Path) -> None:
    there = tmp_path / "there.tar"
    there.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="expected a new file"):
        make_backup(filled.config, there)
    with pytest.raises(ConfigError, match="expected a folder"):
        make_backup(filled.config, tmp_path / "none" / "backup.tar")
    with pytest.raises(ConfigError, match="no service"):
        make_backup(ServiceConfig(home=tmp_path / "empty"), tmp_path / "backup.tar")
    assert not (tmp_path / "empty").exists()
    assert there.read_bytes() == b"mine"


@sqlite_first
def test_no_part_of_a_backup_stays_when_it_fails(filled: Services, tmp_path: Path) -> None:
    with filled.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit")
    before = set(tmp_path.iterdir())
    with pytest.raises((OperationalError, Exception), match="audit"):
        make_backup(filled.config, tmp_path / "backup.tar")
    assert set(tmp_path.iterdir()) == before


@sqlite_first
def test_the_store_of_a_restored_service_is_its_own(
    filled: Services, second: ServiceConfig, tmp_path: Path
) -> None:
    restore_backup(make_backup(filled.config, tmp_path / "backup.tar").file, second)
    store = BlobStore(second.blob_dir)
    for name in filled.blobs.names():
        filled.blobs.path(name).unlink()
    assert all(store.check(name) for name in store.names())
