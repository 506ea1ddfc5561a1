"""Programs of others that judge a DICOM object: dicom3tools' ``dciodvfy`` and dcmtk's ``dsrdump``."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SECONDS = 60


def dciodvfy(path: Path) -> list[str]:
    """Return the lines of ``dciodvfy`` that are errors; warnings are left out. Skips where it is not installed."""
    done = _run("dciodvfy", "dicom3tools", str(path))
    told = f"{done.stdout}\n{done.stderr}".splitlines()
    errors = [line for line in told if line.startswith("Error")]
    if done.returncode != 0 and not errors:
        errors.append(f"Error - dciodvfy ended with {done.returncode}: {' '.join(told[-3:])}")
    return errors


def dsrdump(path: Path) -> str:
    """Return a structured report as ``dsrdump`` prints it. Skips where it is not installed.

    Raises:
        AssertionError: If it cannot parse the report, or warns or complains of it.
    """
    done = _run("dsrdump", "dcmtk", str(path))
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return done.stdout


def _run(program: str, package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path="/usr/bin:/usr/local/bin") or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
    )
