"""Programs of others that judge a DICOM object: dicom3tools' ``dciodvfy``, and dcmtk's."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SECONDS = 60
_KNOWN = "ISO_IR 192"
"""UTF-8, which dsrdump prints as it is and says so."""


def dciodvfy(path: Path) -> list[str]:
    """Return the lines of ``dciodvfy`` that are errors; warnings are left out. Skips where it is not installed."""
    done = _run("dciodvfy", "dicom3tools", str(path))
    told = f"{done.stdout}\n{done.stderr}".splitlines()
    errors = [line for line in told if line.startswith("Error")]
    if done.returncode != 0 and not errors:
        errors.append(f"Error - dciodvfy ended with {done.returncode}: {' '.join(told[-3:])}")
    return errors


def dcmtk(program: str, *arguments: str) -> str:
    """Return what a program of dcmtk prints of an object. Skips where it is not installed.

    Raises:
        AssertionError: If it cannot parse the object, or warns or complains of it.
    """
    done = _run(program, "dcmtk", *arguments)
    complaints = [line for line in done.stderr.splitlines() if line.strip() and _KNOWN not in line]
    assert (done.returncode, complaints) == (0, [])
    return done.stdout


def _run(program: str, package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path="/usr/bin:/usr/local/bin") or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
    )
