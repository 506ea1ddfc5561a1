"""Files by content: a file's name is the SHA-256 of its bytes, so equal files are kept once and none is changed.

A file is written beside its place, synced and moved there: after a crash it is whole or absent.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import SpineScribeError

_NAME = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20


@dataclass(frozen=True)
class Blob:
    """A kept file.

    Attributes:
        sha256: Its name.
        bytes: Its size.
    """

    sha256: str
    bytes: int


class BlobStore:
    """The folder of kept files, two levels deep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> Blob:
        """Keep bytes."""
        return self.put_chunks([content])

    def put_file(self, file: Path) -> Blob:
        """Keep a copy of a file."""
        with file.open("rb") as stream:
            return self.put_chunks(iter(lambda: stream.read(_CHUNK), b""))

    def put_chunks(self, chunks: Iterable[bytes]) -> Blob:
        """Keep what comes in pieces; whatever error they raise is passed on and nothing is kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, temporary = tempfile.mkstemp(prefix=".incoming-", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            target = self.path(digest.hexdigest())
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Blob(digest.hexdigest(), size)

    def path(self, sha256: str) -> Path:
        """Return where a file lies.

        Raises:
            SpineScribeError: If the name is not a SHA-256: nothing else leads into the folder.
        """
        if not _NAME.fullmatch(sha256):
            raise SpineScribeError("expected a SHA-256 in 64 hexadecimal digits as the name of a kept file")
        return self._folder / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """Return a file's bytes.

        Raises:
            SpineScribeError: If it is not there.
        """
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise SpineScribeError(f"kept file {sha256[:12]} is missing; restore it from a backup") from None

    def check(self, sha256: str) -> bool:
        """Return whether a file is there and its bytes still have its name."""
        file = self.path(sha256)
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256

    def names(self) -> Iterable[str]:
        """Yield the names of all kept files, sorted."""
        found = (file.name for file in self._folder.glob("??/*") if _NAME.fullmatch(file.name))
        return iter(sorted(found))
