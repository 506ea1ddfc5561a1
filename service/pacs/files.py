"""Files that survive a loss of power once they are there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_synced(folder: Path, content: bytes, prefix: str = "") -> Path:
    """Write a new file of a name that nothing has, down to the disk; on any error nothing of it stays.

    Raises:
        OSError: If it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=prefix, dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
