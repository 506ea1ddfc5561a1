"""A generated study of each body region, read by the command with the shipped weights, once for all tests."""

import fcntl
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tests.built_phantoms import built_phantom


@dataclass(frozen=True)
class ReadPhantom:
    """A study and its reading.

    Attributes:
        study: Folder of its DICOM files (with truth and label maps beside it in ``study.parent``).
        archive: The same as a zip.
        reading: Folder of reading.json, report.md, overlay.png and label maps.
    """

    study: Path
    archive: Path
    reading: Path


def read_phantom(protocol: str, shared: Path) -> ReadPhantom:
    """Return a read phantom, made if nobody did so before: test processes share a folder.

    Args:
        protocol: ``lumbar``, ``cervical`` or ``sacroiliac``.
        shared: Folder that all processes of a run share.
    """
    folder = shared / f"read-{protocol}"
    folder.mkdir(parents=True, exist_ok=True)
    made = ReadPhantom(folder / "dicom", folder / "study.zip", folder / "reading")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.reading / "reading.json").is_file():
            _make(protocol, folder, made)
    return made


def _make(protocol: str, folder: Path, made: ReadPhantom) -> None:
    from cli.main import main
    from imaging.phantom import write_phantom_study

    write_phantom_study(built_phantom(protocol), folder)
    said = StringIO()  # apart from what the first test that asks is about to capture
    with redirect_stdout(said), redirect_stderr(said):
        code = main(["read", str(made.archive), "--out", str(made.reading)])
    assert code == 0, said.getvalue()
