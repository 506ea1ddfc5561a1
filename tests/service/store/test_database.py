"""The tables on SQLite: migrations up and down agree with them; writers wait for each other."""

import itertools
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import StatementError

from service import audit
from service.config import ServiceConfig
from service.services import Services
from service.store import Database
from service.store.base import Base, now
from service.store.tables import AuditEntry, User


def test_the_migrations_make_exactly_the_tables(services: Services) -> None:
    with services.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_down_to_nothing_and_up_again(services: Services) -> None:
    services.database.downgrade("base")
    assert inspect(services.database.engine).get_table_names() == ["alembic_version"]
    services.database.upgrade()
    assert set(Base.metadata.tables) <= set(inspect(services.database.engine).get_table_names())


def test_sqlite_runs_with_a_write_ahead_log(services: Services) -> None:
    with services.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_only_a_soft_transaction_does_not_wait_for_the_disk(both_services: Services) -> None:
    if both_services.config.is_sqlite:
        database, question, safe, soft = both_services.database, "PRAGMA synchronous", 2, 1
    else:  # the server of the tests never waits
        database = Database(f"{both_services.config.sqlalchemy_url}?options=-csynchronous_commit%3Don")
        question, safe, soft = "SHOW synchronous_commit", "on", "off"
    for _ in range(2):  # the same connection is asked again
        with database.begin_soft() as session:
            assert session.scalar(text(question)) == soft
            audit.append(session, "jo", "test.look")
        with database.begin() as session:
            assert session.scalar(text(question)) == safe
            audit.append(session, "jo", "test.write")
    with database.read() as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)).all()
    database.close()
    assert actions == ["test.look", "test.write"] * 2


def test_a_failed_transaction_leaves_nothing(services: Services) -> None:
    def add_and_fail() -> None:
        with services.database.begin() as session:
            session.add(User(name="half"))
            session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        add_and_fail()
    with services.database.read() as session:
        assert session.query(User).count() == 0


def test_writers_in_parallel_lose_no_line_of_the_log(services: Services) -> None:
    def write(name: str) -> None:
        for _ in range(10):
            with services.database.begin() as session:
                audit.append(session, name, "test.write")

    threads = [threading.Thread(target=write, args=(f"t{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with services.database.read() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.seq).all()
    assert [entry.seq for entry in entries] == list(range(1, 41))
    assert all(later.previous == entry.hash for entry, later in itertools.pairwise(entries))


def test_a_reader_does_not_wait_for_a_writer(services: Services) -> None:
    with services.database.begin() as writing:
        writing.add(User(name="new"))
        writing.flush()
        with services.database.read() as reading:
            assert reading.query(User).count() == 0


def test_times_come_back_with_their_zone(tmp_path: Path) -> None:
    database = Database.open(ServiceConfig(home=tmp_path))
    moment = now()
    with database.begin() as session:
        session.add(User(name="timed", created_at=moment))
    with database.read() as session:
        assert session.query(User).one().created_at == moment
    with database.read() as session:
        session.add(User(name="naive", created_at=moment.replace(tzinfo=None)))
        with pytest.raises(StatementError, match="naive"):
            session.flush()
    database.close()
