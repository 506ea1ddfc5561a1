"""Programs of others that judge or read a DICOM object: dicom3tools' ``dciodvfy``, dcmtk's, dcmqi's."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_SECONDS = 60
_KNOWN = "ISO_IR 192"
"""UTF-8, which dsrdump prints as it is and says so, and which dcmqi's check of values does not know."""
_COMPLAINT = re.compile(r"(E:|W:|error|warning|failed)", re.IGNORECASE)


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


def dcmqi(program: str, **options: str | Path | bool) -> None:
    """Run a program of dcmqi, the library by which 3D Slicer reads SEG and SR. Skips where it is not installed.

    Args:
        program: Such as ``segimage2itkimage``.
        **options: Its long options by name; True for those without a value.

    Raises:
        AssertionError: If it refuses what it is given, or warns of it.
    """
    found = importlib.util.find_spec("dcmqi")
    if found is None or found.origin is None:
        pytest.skip("dcmqi is not installed (extra test, on Linux)")
    command = [str(Path(found.origin).parent / "bin" / program)]
    for name, value in options.items():
        command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    done = _completed(command)
    told = f"{done.stdout}\n{done.stderr}".splitlines()
    complaints = [line for line in told if _COMPLAINT.match(line) and _KNOWN not in line]
    assert (done.returncode, complaints) == (0, [])


def _run(program: str, package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path="/usr/bin:/usr/local/bin") or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return _completed([found, *arguments])


def _completed(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
