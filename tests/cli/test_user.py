"""``spinescribe user``: the first administrator, and what may be changed from the command line."""

import io
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from cli import user as command
from cli.main import main
from service.accounts import passwords
from service.accounts.passwords import verify
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import AuditEntry, User

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPINESCRIBE_DATABASE_URL", raising=False)
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=1024))
    return tmp_path / "home"


def spinescribe(
    monkeypatch: pytest.MonkeyPatch, *words: str, typed: str | None = None, asked: list[str] | None = None
) -> int:
    """Run a command with text on its input, or answers at a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return asked is not None

    answers = iter(asked or [])
    monkeypatch.setattr("sys.stdin", Terminal(typed or ""))
    monkeypatch.setattr(command.getpass, "getpass", lambda _prompt: next(answers))
    return main(["user", *words])


def users_of(home: Path) -> dict[str, User]:
    services = Services.open(ServiceConfig(home=home))
    with services.database.read() as session:
        found = {user.name: user for user in session.query(User)}
        for user in found.values():
            assert user.groups is not None
    services.database.close()
    return found


def test_the_first_administrator(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("add", "Root", "--role", "administrator", "--display-name", "Dr Root", "--password-stdin")
    assert spinescribe(monkeypatch, *words, typed=f"{PASSWORD}\n") == 0
    assert capsys.readouterr().out == "added root, administrator\n"
    root = users_of(home)["root"]
    assert (root.role, root.display_name) == ("administrator", "Dr Root")
    assert verify(root.password_hash, PASSWORD)
    assert (home / "spinescribe.sqlite").exists()


def test_a_terminal_is_asked_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("add", "jo", "--role", "radiologist")
    assert spinescribe(monkeypatch, *add, asked=[PASSWORD, "something else"]) == 2
    assert "differ" in capsys.readouterr().err
    assert users_of(home) == {}
    assert spinescribe(monkeypatch, *add, asked=[PASSWORD, PASSWORD]) == 0
    assert verify(users_of(home)["jo"].password_hash, PASSWORD)


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("add", "jo", "--role", "radiologist"), None, "--password-stdin"),
        (("add", "jo", "--role", "radiologist", "--password-stdin"), "", "got none"),
        (("add", "jo", "--role", "radiologist", "--password-stdin"), "short\n", "12 to 256"),
        (("add", "a b", "--role", "radiologist", "--password-stdin"), f"{PASSWORD}\n", "the name must be"),
        (("password", "nobody", "--password-stdin"), f"{PASSWORD}\n", "there is no user 'nobody'"),
        (("deactivate", "nobody"), None, "there is no user 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    typed: str | None,
    told: str,
) -> None:
    assert spinescribe(monkeypatch, *words, typed=typed) == 2
    error = capsys.readouterr().err
    assert told in error
    assert PASSWORD not in error
    assert users_of(home) == {}


def test_no_password_is_taken_as_an_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        spinescribe(monkeypatch, "add", "jo", "--role", "radiologist", "--password", PASSWORD)
    with pytest.raises(SystemExit):
        spinescribe(monkeypatch, "add", "jo", "--role", "owner")
    capsys.readouterr()


def test_a_user_s_life(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert spinescribe(monkeypatch, "list") == 0
    assert "no users yet" in capsys.readouterr().out
    for name, role in (("root", "administrator"), ("jo", "radiologist")):
        spinescribe(monkeypatch, "add", name, "--role", role, "--password-stdin", typed=f"{PASSWORD}\n")
    spinescribe(monkeypatch, "add", "sso", "--role", "researcher", "--no-password")
    assert spinescribe(monkeypatch, "groups", "jo", "Neuro", "Spine A") == 0
    assert spinescribe(monkeypatch, "password", "jo", "--password-stdin", typed="another long phrase\n") == 0
    assert spinescribe(monkeypatch, "link", "sso", "subject-7") == 0
    assert spinescribe(monkeypatch, "deactivate", "jo") == 0
    capsys.readouterr()
    assert spinescribe(monkeypatch, "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "jo    radiologist    deactivated  Neuro, Spine A",
        "root  administrator  active       no groups",
        "sso   researcher     active       no groups",
    ]
    found = users_of(home)
    assert verify(found["jo"].password_hash, "another long phrase")
    assert found["sso"].oidc_subject == "subject-7"
    assert spinescribe(monkeypatch, "activate", "jo") == 0
    assert spinescribe(monkeypatch, "groups", "jo") == 0
    assert users_of(home)["jo"].is_active
    assert users_of(home)["jo"].groups == []


def test_the_last_administrator_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spinescribe(monkeypatch, "add", "root", "--role", "administrator", "--password-stdin", typed=f"{PASSWORD}\n")
    assert spinescribe(monkeypatch, "deactivate", "root") == 2
    assert "last active administrator" in capsys.readouterr().err
    services = Services.open(ServiceConfig(home=home))
    with services.database.read() as session:
        lines = [(line.actor, line.action) for line in session.query(AuditEntry)]
    services.database.close()
    assert lines == [("system", "user.add")]
