"""The folder that a study is fetched into: each instance whole or not at all, one file an instance.

A file is named by a hash of its SOP Instance UID: no name of a node gets into a path, and nothing of a patient.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from runtime.errors import StudyError
from service.pacs.errors import PacsError
from service.pacs.files import write_synced

_PART = ".part-"


@dataclass(frozen=True)
class Counts:
    """What has arrived.

    Attributes:
        instances: Different instances.
        new: Of these, files written now.
        known: Of these, instances whose file was there before.
        differing: Arrivals with other bytes than the instance's file; the file stayed as it was.
    """

    instances: int
    new: int
    known: int
    differing: int


class Arrivals:
    """Keeps instances of one study.

    Args:
        folder: Made when missing.
        study_instance_uid: The study.

    Attributes:
        study_instance_uid: The study.
        failure: Why an instance could not be written; None when all could.

    Raises:
        StudyError: If the folder cannot be made.
    """

    def __init__(self, folder: Path, study_instance_uid: str) -> None:
        self.study_instance_uid = study_instance_uid
        self.failure: str | None = None
        self._folder = folder
        self._lock = Lock()
        self._seen: set[str] = set()
        self._new = self._differing = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob(f"{_PART}*"):
                leftover.unlink()
        except OSError as error:
            raise StudyError(f"the folder to fetch into cannot be used ({error.strerror})") from None

    def keep(self, sop_instance_uid: str, content: bytes) -> None:
        """Write an instance, unless it is there.

        Args:
            sop_instance_uid: Its UID.
            content: The whole file.

        Raises:
            PacsError: If it cannot be written; then no file is left behind, and ``failure`` says why.
        """
        name = hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]
        with self._lock:
            try:
                self._keep(self._folder / f"{name}.dcm", content)
            except OSError as error:
                self.failure = f"an instance cannot be written ({error.strerror})"
                raise PacsError(self.failure, code="failed") from None
            self._seen.add(name)

    def counts(self) -> Counts:
        """Return what has arrived by now."""
        with self._lock:
            return Counts(len(self._seen), self._new, len(self._seen) - self._new, self._differing)

    def _keep(self, file: Path, content: bytes) -> None:
        if not file.exists():
            self._write(file, content)
            self._new += 1
        elif file.read_bytes() != content:
            self._differing += 1

    def _write(self, file: Path, content: bytes) -> None:
        part = write_synced(self._folder, content, prefix=_PART)
        try:
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
