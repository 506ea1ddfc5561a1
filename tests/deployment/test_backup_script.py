"""The nightly script: a dated file, old ones deleted only after a new one is there."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.config import ServiceConfig
from service.operations.archive import verify_archive
from service.services import Services
from tests.deployment.dockerfile import DEPLOYMENT, ROOT

MONTH_S = 31 * 24 * 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an old backup, a newer one and a file that is none."""
    folder = tmp_path / "backups"
    folder.mkdir()
    for name, age_s in (("spinescribe-old.tar", MONTH_S), ("spinescribe-new.tar", 60), ("other.tar", MONTH_S)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    return folder


def run(folder: Path, home: Path, tmp_path: Path) -> int:
    """Run the script with a ``spinescribe`` of this checkout on the path."""
    program = tmp_path / "bin" / "spinescribe"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "SPINESCRIBE_HOME": str(home)}
    environment.pop("SPINESCRIBE_DATABASE_URL", None)
    script = [str(DEPLOYMENT / "backup.sh"), str(folder), "30"]
    return subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode


def test_a_backup_is_added_and_old_ones_go(folder: Path, tmp_path: Path) -> None:
    Services.open(ServiceConfig(home=tmp_path / "home")).database.close()
    assert run(folder, tmp_path / "home", tmp_path) == 0
    (added,) = folder.glob("spinescribe-2*.tar")
    assert verify_archive(added).database.rows["users"] == 0
    assert {file.name for file in folder.iterdir()} == {added.name, "spinescribe-new.tar", "other.tar"}


def test_nothing_goes_when_the_backup_fails(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "none", tmp_path) == 2
    assert {file.name for file in folder.iterdir()} == {"spinescribe-old.tar", "spinescribe-new.tar", "other.tar"}
