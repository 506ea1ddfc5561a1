"""The folder of arriving studies: each instance written whole, in folders named by hashes of UIDs.

    part/                       instances on their way in; emptied at the start
    arriving/<study>/<sop>.dcm  what came of a study; ``sender`` and ``unfinished`` beside it
    taking/<study>/             the same, being made a worklist entry
    aside/<study>/              other bytes under a UID that is taken

Every move is a rename in one file system: after a crash an instance is in one place, whole, or was not confirmed.
One process owns the folder (a lock says so). No name holds a UID, and nothing of a patient.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import IO

from runtime.errors import ConfigError
from service.pacs.files import sync_folder, write_synced
from service.pacs.part10 import is_same

SUFFIX = ".dcm"
_SENDER = "sender"
_UNFINISHED = "unfinished"


class Stored(Enum):
    """What came of storing an instance."""

    NEW = auto()
    SAME = auto()
    ASIDE = auto()


class FullError(Exception):
    """There is no room for another instance now."""


@dataclass(frozen=True)
class Delivery:
    """What came of a study by now.

    Attributes:
        study: Hash of the Study Instance UID.
        folder: Where its instances lie.
        sender: AE title that sent them last.
        is_unfinished: Whether the last association was broken off.
    """

    study: str
    folder: Path
    sender: str
    is_unfinished: bool

    @property
    def files(self) -> list[Path]:
        """Return its instances, sorted."""
        return sorted(self.folder.glob(f"*{SUFFIX}"))


class Inbox:
    """The folder, owned by this process until ``close``.

    Args:
        root: The folder; made when missing.
        max_bytes: Bytes it may hold.
        free_bytes: Bytes that stay free on the disk.

    Raises:
        ConfigError: If another listener owns it.
    """

    def __init__(self, root: Path, *, max_bytes: int, free_bytes: int = 0) -> None:
        self._root, self._max_bytes, self._free_bytes = root, max_bytes, free_bytes
        self._mutex = Lock()
        for name in ("part", "arriving", "taking", "aside"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._owned = _own(root / "lock")
        for left in self.part.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self._bytes = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
        start = time.monotonic()
        self._last = {folder.name: start for folder in (root / "arriving").iterdir()}

    @property
    def part(self) -> Path:
        """Return the folder of what is not whole yet; emptied at the start."""
        return self._root / "part"

    def close(self) -> None:
        """Let another process own the folder."""
        self._owned.close()

    def store(self, study_uid: str, sop_uid: str, content: bytes, *, sender: str) -> Stored:
        """Keep an instance; when this returns it is on the disk.

        Args:
            study_uid: Study Instance UID.
            sop_uid: SOP Instance UID.
            content: The file, with its meta information.
            sender: AE title of who sent it.

        Raises:
            FullError: If there is no room; nothing was kept.
            OSError: If it cannot be written; nothing was kept.
        """
        study, name = hash_of(study_uid), hash_of(sop_uid) + SUFFIX
        self._reserve(len(content))
        written = None
        try:
            written = write_synced(self.part, content)
            with self._mutex:
                return self._place(written, study, name, content, sender)
        finally:
            if written is None or written.exists():  # it was not moved to its place
                self._free(len(content))
                if written is not None:
                    written.unlink()

    def mark_unfinished(self, study_uid: str) -> None:
        """Note that more is on its way; kept over a crash, until ``mark_finished``."""
        with self._mutex:
            folder = self._root / "arriving" / hash_of(study_uid)
            if folder.is_dir():
                (folder / _UNFINISHED).touch()

    def mark_finished(self, study_uid: str) -> None:
        """Note that the sender ended in order."""
        with self._mutex:
            (self._root / "arriving" / hash_of(study_uid) / _UNFINISHED).unlink(missing_ok=True)

    def quiet(self, quiet_s: float, open_studies: set[str]) -> list[str]:
        """Return the studies of which nothing came for a while.

        Args:
            quiet_s: For how long.
            open_studies: Hashes of those that somebody is still sending.
        """
        before = time.monotonic() - quiet_s
        with self._mutex:
            return sorted(name for name, at in self._last.items() if at <= before and name not in open_studies)

    def take(self, study: str) -> None:
        """Move a study to ``taking``; what comes of it from now on is a further delivery."""
        target = self._root / "taking" / study
        with self._mutex:
            if not target.exists():
                (self._root / "arriving" / study).rename(target)
                del self._last[study]
        sync_folder(self._root / "taking")

    def taken(self) -> Iterator[Delivery]:
        """Yield what is being made a worklist entry, or was when the process died."""
        for folder in sorted((self._root / "taking").iterdir()):
            sender = folder / _SENDER
            yield Delivery(
                folder.name,
                folder,
                sender.read_text(encoding="ascii") if sender.is_file() else "",
                (folder / _UNFINISHED).exists(),
            )

    def put_aside(self, file: Path, study: str) -> None:
        """Move a file of a taken study to ``aside``."""
        with self._mutex:
            _move_aside(self._root / "aside", study, file, file.read_bytes(), file.name)

    def count_aside(self, study: str) -> int:
        """Return how many files of a study lie aside."""
        return len(list((self._root / "aside" / study).glob(f"*{SUFFIX}")))

    def drop(self, delivery: Delivery) -> None:
        """Remove a taken study: it is a worklist entry now."""
        size = sum(file.stat().st_size for file in delivery.files)
        shutil.rmtree(delivery.folder)
        self._free(size)

    def _place(self, written: Path, study: str, name: str, content: bytes, sender: str) -> Stored:
        folder = self._root / "arriving" / study
        folder.mkdir(exist_ok=True, mode=0o700)
        self._last[study] = time.monotonic()
        target = folder / name
        if target.exists():
            if is_same(target.read_bytes(), content):
                return Stored.SAME
            _move_aside(self._root / "aside", study, written, content, name)
            return Stored.ASIDE
        (folder / _SENDER).write_text(sender, encoding="ascii", errors="replace")
        (folder / _UNFINISHED).touch()
        written.rename(target)
        sync_folder(folder)
        sync_folder(folder.parent)
        return Stored.NEW

    def _reserve(self, size: int) -> None:
        with self._mutex:
            is_full = self._bytes + size > self._max_bytes
            if is_full or shutil.disk_usage(self._root).free - size < self._free_bytes:
                raise FullError
            self._bytes += size

    def _free(self, size: int) -> None:
        with self._mutex:
            self._bytes -= size


def hash_of(uid: str) -> str:
    """Return the name of a UID here: its SHA-256."""
    return hashlib.sha256(uid.encode()).hexdigest()


def _own(path: Path) -> IO[str]:
    """Lock a file for as long as it stays open."""
    stream = path.open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise ConfigError("another listener takes in studies of this SPINESCRIBE_HOME; stop it first") from None
    return stream


def _move_aside(root: Path, study: str, file: Path, content: bytes, name: str) -> None:
    """Move a file aside, under its own bytes' name; the same ones lie there once."""
    folder = root / study
    folder.mkdir(exist_ok=True, mode=0o700)
    digest = hashlib.sha256(content).hexdigest()[:16]
    file.rename(folder / f"{name.removesuffix(SUFFIX)}-{digest}{SUFFIX}")
    sync_folder(folder)
    sync_folder(root)
