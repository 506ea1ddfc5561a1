"""The commands of the web service's keeper: their words and their exit codes."""

from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import User


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    services = Services.open(ServiceConfig(home=tmp_path / "home"))
    with services.database.begin() as session:
        session.add(User(name="rad"))
    services.database.close()
    monkeypatch.setenv("SPINESCRIBE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPINESCRIBE_DATABASE_URL", raising=False)
    return tmp_path / "home"


def test_backup_restore_and_check(home: Path, tmp_path: Path, capsys: Any) -> None:
    archive = str(tmp_path / "backup.tar")
    assert main(["backup", archive]) == 0
    assert "0 studies, 0 kept files, sqlite at revision" in capsys.readouterr().out
    assert main(["backup", archive]) == 2
    assert "expected a new file" in capsys.readouterr().err
    assert main(["restore", archive]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["restore", archive, "--into", str(tmp_path / "second")]) == 0
    assert "1 lines of the audit log verified" in capsys.readouterr().out
    assert main(["restore", archive, "--replace"]) == 0
    (home / "blobs" / ".incoming-1").write_bytes(b"half")
    assert main(["check-store", "--prune"]) == 0
    assert "1 that nothing names (4 bytes)" in capsys.readouterr().out


def test_a_damaged_archive_is_bad_input(home: Path, tmp_path: Path, capsys: Any) -> None:
    archive = tmp_path / "backup.tar"
    assert main(["backup", str(archive)]) == 0
    archive.write_bytes(archive.read_bytes()[:4096])
    assert main(["restore", str(archive), "--into", str(tmp_path / "second")]) == 2
    assert "cut off" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_no_service_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(tmp_path / "none"))
    assert main(["check-store"]) == 2
    assert "no service" in capsys.readouterr().err
