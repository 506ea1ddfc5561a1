"""Tampering with the audit log shows: every field, every kind of deletion, swap and insertion."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from cli.main import main
from service.audit import AuditFilter, Fault, Verification, append, list_entries, verify_log
from service.audit.log import entry_hash
from service.services import Services

LINES = 7


@pytest.fixture
def log(services: Services) -> Services:
    """Return a service with a log of seven lines."""
    with services.database.begin() as session:
        for number in range(1, LINES + 1):
            append(session, f"user{number % 2}", "report.view", subject="study:1", details={"version": number})
    return services


def _verify(services: Services, head: str | None = None) -> Verification:
    with services.database.read() as session:
        return verify_log(session, expected_head=head)


@contextmanager
def _hand(services: Services) -> Iterator[sqlite3.Connection]:
    """Open the file as one would who owns it: past the triggers."""
    connection = sqlite3.connect(services.config.home / "spinescribe.sqlite")
    connection.execute("DROP TRIGGER IF EXISTS audit_no_update")
    connection.execute("DROP TRIGGER IF EXISTS audit_no_delete")
    yield connection
    connection.commit()
    connection.close()


def test_an_untouched_log_is_intact(log: Services) -> None:
    found = _verify(log)
    assert (found.is_intact, found.count, found.broken_at) == (True, LINES, None)
    assert _verify(log, found.head).is_intact


def test_an_empty_log_is_intact(services: Services) -> None:
    assert _verify(services).to_dict() == {
        "intact": True, "count": 0, "head": "0" * 64, "broken_at": None, "how": None,
        "message": "0 lines, none changed, missing or out of order",
    }  # fmt: skip


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE seq = 7"])
def test_the_database_itself_refuses_changes(log: Services, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), log.database.begin() as session:
        session.execute(text(statement))
    assert _verify(log).is_intact


def test_the_triggers_come_and_go_with_their_migration(services: Services) -> None:
    services.database.downgrade("0001")
    with services.database.begin() as session:
        append(session, "a", "b.c")
        session.execute(text("DELETE FROM audit"))
    services.database.upgrade()
    with services.database.begin() as session:
        append(session, "a", "b.c")
    with pytest.raises(DatabaseError), services.database.begin() as session:
        session.execute(text("DELETE FROM audit"))


@pytest.mark.parametrize("line", [1, 4, LINES])
@pytest.mark.parametrize(("field", "value"), [
    ("actor", "somebody"), ("action", "report.sign"), ("subject", "study:2"), ("at", "2020-01-01 00:00:00.000000"),
    ("at", "no time"), ("details", '{"version": 99}'), ("details", "{no json"), ("details", "null"),
    ("hash", "f" * 64),
])  # fmt: skip
def test_a_changed_field_is_found_where_it_is(log: Services, line: int, field: str, value: str) -> None:
    with _hand(log) as connection:
        connection.execute(f"UPDATE audit SET {field} = ? WHERE seq = ?", (value, line))
    found = _verify(log)
    assert (found.is_intact, found.broken_at, found.fault) == (False, line, Fault.CHANGED)


def test_a_changed_link_is_found(log: Services) -> None:
    with _hand(log) as connection:
        connection.execute("UPDATE audit SET previous = ? WHERE seq = 4", ("e" * 64,))
    assert (_verify(log).broken_at, _verify(log).fault) == (4, Fault.CHANGED)


@pytest.mark.parametrize(("gone", "told"), [
    ((1,), "line 1 is missing"), ((4,), "line 4 is missing"), ((1, 2, 3), "lines 1 to 3 are missing"),
])  # fmt: skip
def test_a_deleted_line_is_found(log: Services, gone: tuple[int, ...], told: str) -> None:
    with _hand(log) as connection:
        connection.executemany("DELETE FROM audit WHERE seq = ?", [(line,) for line in gone])
    found = _verify(log)
    assert (found.broken_at, found.fault, found.message) == (gone[0], Fault.MISSING, told)


def test_a_deleted_line_is_found_when_the_others_close_up(log: Services) -> None:
    with _hand(log) as connection:
        connection.execute("DELETE FROM audit WHERE seq = 4")
        for line in range(5, LINES + 1):
            connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (line - 1, line))
    assert (_verify(log).broken_at, _verify(log).fault) == (4, Fault.OUT_OF_ORDER)


@pytest.mark.parametrize("count", [1, 3, LINES])
def test_a_cut_end_shows_against_a_kept_head(log: Services, count: int) -> None:
    head = _verify(log).head
    with _hand(log) as connection:
        connection.execute("DELETE FROM audit WHERE seq > ?", (LINES - count,))
    assert _verify(log).is_intact  # the chain alone cannot know
    found = _verify(log, head)
    assert (found.is_intact, found.fault, found.broken_at) == (False, Fault.TRUNCATED, None)


def test_a_kept_head_stays_good_while_the_log_grows(log: Services) -> None:
    head = _verify(log).head
    with log.database.begin() as session:
        append(session, "a", "b.c")
    assert _verify(log, head).is_intact


def test_a_chain_written_anew_shows_against_a_kept_head(log: Services) -> None:
    head = _verify(log).head
    with log.database.read() as session:
        lines = list(list_entries(session, AuditFilter(), limit=99)[0])[::-1]
    previous = "0" * 64
    with _hand(log) as connection:
        for entry in lines:
            entry.actor, entry.previous = "forger", previous
            previous = entry_hash(entry)
            connection.execute(
                "UPDATE audit SET actor = ?, previous = ?, hash = ? WHERE seq = ?",
                (entry.actor, entry.previous, previous, entry.seq),
            )
    assert _verify(log).is_intact
    assert _verify(log, head).fault is Fault.TRUNCATED


def test_swapped_lines_are_found(log: Services) -> None:
    with _hand(log) as connection:
        for first, second in ((3, 99), (4, 3), (99, 4)):
            connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (second, first))
    assert (_verify(log).broken_at, _verify(log).fault) == (3, Fault.OUT_OF_ORDER)


@pytest.mark.parametrize(("place", "fault"), [(0, Fault.OUT_OF_ORDER), (LINES + 1, Fault.CHANGED)])
def test_an_inserted_line_is_found(log: Services, place: int, fault: Fault) -> None:
    fields = (place, datetime.now(UTC).isoformat(" ")[:26], "x", "a.b", "", "{}", _verify(log).head, "a" * 64)
    with _hand(log) as connection:
        connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", fields)
    found = _verify(log)
    assert (found.broken_at, found.fault) == (max(place, 1), fault)


def test_lines_are_looked_up_by_what_they_are_about(log: Services) -> None:
    with log.database.begin() as session:
        append(session, "user1", "report.sign", subject="study:2")
        append(session, "user1", "reports.other", subject="study:2")
    with log.database.read() as session:
        find: Callable[[AuditFilter], int] = lambda wanted: list_entries(session, wanted, limit=99)[1]  # noqa: E731
        assert find(AuditFilter(subject="study:2")) == 2
        assert find(AuditFilter(action="report")) == LINES + 1
        assert find(AuditFilter(action="report.sign")) == 1
        assert find(AuditFilter(actor="user0")) == 3
        assert find(AuditFilter(since=datetime(2999, 1, 1, tzinfo=UTC))) == 0


@pytest.fixture
def command(log: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(log.config.home))
    monkeypatch.delenv("SPINESCRIBE_DATABASE_URL", raising=False)
    return lambda *words: main(["audit", *words])


def test_the_command_line_verifies(
    log: Services, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("verify", "--json") == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["intact"], told["count"]) == (True, LINES)
    assert command("verify", "--expect-head", told["head"]) == 0
    assert f"head {told['head']}" in capsys.readouterr().out
    assert command("verify", "--expect-head", "f" * 64) == 2
    with _hand(log) as connection:
        connection.execute("UPDATE audit SET actor = 'x' WHERE seq = 3")
    assert command("verify") == 2
    assert capsys.readouterr().out.splitlines()[-3] == "BROKEN: line 3 was changed after it was written"


def test_the_command_line_lists_and_exports(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("list", "--actor", "user1", "--limit", "2") == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["7", "5"]
    assert command("export", "--since", "2020-01-01") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, LINES + 1))
    assert lines[1]["previous"] == lines[0]["hash"]


def test_without_a_database_the_command_says_so(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(tmp_path))
    assert main(["audit", "verify"]) == 2
    assert list(tmp_path.iterdir()) == []
