"""DICOMDIR: the list of files on a patient's disc. It is followed inside its own folder only, and never believed.

What its records say of patients, studies and series is not used: the files tell it themselves. Source: DICOM PS3.3
annex F (records), PS3.10 section 8 (File IDs: up to eight parts of upper-case letters, digits and underscores).
"""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import pydicom
from pydicom import uid

from imaging import limits
from imaging.dicom.values import BROKEN, items, text
from runtime.errors import StudyError

# The element of the file meta group that names the class, as every DICOMDIR begins with (PS3.10 section 7.1).
_MARK = b"\x02\x00\x02\x00UI\x14\x00" + uid.MediaStorageDirectoryStorage.encode()
_RECORDS = "DirectoryRecordSequence"
_FORBIDDEN = frozenset({"", ".", ".."})


class _File(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def open(self) -> Callable[[], BinaryIO]: ...


@dataclass(frozen=True)
class DirectoryEntry:
    """One file that a DICOMDIR names.

    Attributes:
        place: Parts of its path from the folder of the DICOMDIR (``file_id``).
        instance_uid: SOP Instance UID that the record states; empty when it states none.
    """

    place: tuple[str, ...]
    instance_uid: str


def is_directory(head: bytes) -> bool:
    """Say whether a file that starts so is a DICOMDIR."""
    return head[128:132] == b"DICM" and _MARK in head


def file_id(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the parts of a path as they are compared: discs differ in case, version marks and closing points."""
    return tuple(part.split(";")[0].rstrip(". ").upper() for part in parts)


def read_directory(member: _File) -> tuple[DirectoryEntry, ...]:
    """Return the files that a DICOMDIR names.

    Raises:
        StudyError: If it is damaged.
        LimitError: If it has more records than a study may have files.
    """
    limits.check_file_size(member.name, member.size)
    try:
        with member.open() as stream:
            dataset = pydicom.dcmread(stream, specific_tags=[_RECORDS])
    except BROKEN as error:
        raise StudyError(
            f"{member.name}: the DICOMDIR is damaged or cut short; give the folder that it lies in"
        ) from error
    records = items(dataset, _RECORDS)
    limits.check_study_size(member.name, entries=len(records), size=member.size)
    found = ((text(item, "ReferencedFileID"), text(item, "ReferencedSOPInstanceUIDInFile")) for item in records)
    return tuple(DirectoryEntry(file_id(path.split("\\")), instance) for path, instance in found if path)


def find_files(folder: Path, places: Iterable[tuple[str, ...]]) -> list[Path]:
    """Return the plain files at places inside a folder, without those that are not there or lead out of it.

    Args:
        folder: Folder of the DICOMDIR.
        places: From ``file_id``. Each part must be the plain name of an entry; links are not followed.
    """
    listings: dict[Path, dict[str, str]] = {}
    found = (_find_file(folder, place, listings) for place in places)
    return list(dict.fromkeys(file for file in found if file is not None))


def _find_file(folder: Path, place: tuple[str, ...], listings: dict[Path, dict[str, str]]) -> Path | None:
    current = folder
    for depth, part in enumerate(place, start=1):
        if part in _FORBIDDEN or set(part) & set("/\\\0"):
            return None
        if current not in listings:
            listings[current] = _listing(current)
        name = listings[current].get(part)
        if name is None:
            return None
        current = current / name
        mode = current.lstat().st_mode
        if not (stat.S_ISREG(mode) if depth == len(place) else stat.S_ISDIR(mode)):
            return None
    return current if place else None


def directory_notices(
    directory_place: tuple[str, ...], entries: Iterable[DirectoryEntry], instance_uids: dict[tuple[str, ...], str]
) -> list[str]:
    """Return where a DICOMDIR disagrees with the files.

    Args:
        directory_place: Place of the DICOMDIR itself.
        entries: What it names.
        instance_uids: SOP Instance UID by place, of all files that are there; empty for one that is no image.
    """
    missing, other = 0, 0
    for entry in entries:
        place = (*directory_place[:-1], *entry.place)
        if place not in instance_uids:
            missing += 1
        elif entry.instance_uid and instance_uids[place] not in ("", entry.instance_uid):
            other += 1
    notices = [f"The DICOMDIR names {missing} files that are not there."] if missing else []
    if other:
        notices.append(f"The DICOMDIR disagrees with {other} files on what they hold; the files were believed.")
    return notices


def _listing(folder: Path) -> dict[str, str]:
    """Return the names in a folder by how they are compared."""
    with os.scandir(folder) as entries:
        return {file_id((entry.name,))[0]: entry.name for entry in sorted(entries, key=lambda entry: entry.name)}
