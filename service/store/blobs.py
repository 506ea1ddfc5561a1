"""Files by content: a file's name is the SHA-256 of its bytes, so equal files are kept once and none is changed.

A file is written beside its place, synced and moved there: after a crash it is whole or absent.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtime.errors import SpineScribeError

_NAME = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20
INCOMING = ".incoming-"
"""How the names of files begin that are not whole yet."""


@dataclass(frozen=True)
class Blob:
    """A kept file.

    Attributes:
        sha256: Its name.
        bytes: Its size.
    """

    sha256: str
    bytes: int


class BlobWriter:
    """A file on its way in, made by ``BlobStore.writer``: written in pieces, named when it is whole.

    The disk is first asked at the first piece, so that a coroutine may make one.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self, store: BlobStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._digest = hashlib.sha256()
        self._opened: tuple[BinaryIO, Path] | None = None
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Add a piece."""
        stream, _ = self._open()
        self._digest.update(chunk)
        self.size += len(chunk)
        stream.write(chunk)

    def keep(self) -> Blob:
        """Sync the file and move it to its place; one that is there already only becomes young again."""
        stream, temporary = self._open()
        stream.flush()
        name = self._digest.hexdigest()
        target = self._store.path(name)
        if _is_whole(target, self.size):
            os.utime(target)
            self.close()
            return Blob(name, self.size)
        os.fsync(stream.fileno())
        stream.close()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, target)
        self._opened = None
        return Blob(name, self.size)

    def close(self) -> None:
        """Remove what was not kept."""
        if self._opened is not None:
            stream, temporary = self._opened
            stream.close()
            temporary.unlink(missing_ok=True)
            self._opened = None

    def _open(self) -> tuple[BinaryIO, Path]:
        if self._opened is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=INCOMING, dir=self._folder)
            self._opened = os.fdopen(handle, "wb"), Path(name)
        return self._opened


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
        with self.writer() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.keep()

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Open a file on its way in; one that was not kept at the end is removed."""
        writer = BlobWriter(self, self._folder)
        try:
            yield writer
        finally:
            writer.close()

    def remove(self, sha256: str) -> None:
        """Remove a file, if it is there; who calls knows that nothing names it."""
        self.path(sha256).unlink(missing_ok=True)

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


def _is_whole(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except FileNotFoundError:
        return False
