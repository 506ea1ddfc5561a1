"""The files of a folder or zip, opened one by one in memory.

Nothing is ever unpacked to disk, so a member's path cannot escape; links are not followed. Only the last part of a
name is kept, as folders are often named after patients.
"""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from imaging import limits
from imaging.dicom.directory import file_id, find_files, is_directory, read_directory
from imaging.dicom.zips import base_name, check_directory_size, plain_entries
from imaging.sniff import HEAD_BYTES, FileKind, kind_of, sniff
from runtime.errors import StudyError
from runtime.names import shown_name

_BROKEN_ZIP = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, IndexError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One file.

    Attributes:
        name: File name without its folders, as it may be shown.
        size: Bytes, unpacked.
        kind: By its first bytes.
        open: Opens it for reading.
        place: Its path inside the folder or zip, as a DICOMDIR would name it (``file_id``); never shown.
        is_directory: It is a DICOMDIR.
    """

    name: str
    size: int
    kind: FileKind
    open: Callable[[], BinaryIO]
    place: tuple[str, ...] = ()
    is_directory: bool = False


@contextmanager
def open_members(path: Path) -> Iterator[list[Member]]:
    """Yield the files of a folder, a zip, or the one file that ``path`` is; they can be opened inside the block.

    Raises:
        StudyError: If a file cannot be opened, or the zip is damaged, encrypted or a bomb.
        LimitError: If there are too many files or bytes, or folders too deep.
    """
    if path.is_dir():
        yield _folder_members(path)
        return
    with path.open("rb") as stream:
        kind = sniff(stream)
    if kind is not FileKind.ZIP:
        member = _file_member(path, Path(path.name))
        yield [member, *_referenced_members(path.parent, member)] if member.is_directory else [member]
        return
    with _open_zip(path) as archive:
        yield _zip_members(archive, shown_name(path.name))


def _folder_members(folder: Path) -> list[Member]:
    files: list[Path] = []
    total = 0
    name = shown_name(folder.name)

    def refuse(error: OSError) -> None:
        raise StudyError(f"{name}: a folder inside it cannot be opened ({error.strerror})") from error

    for parent, folders, names in os.walk(folder, followlinks=False, onerror=refuse):
        folders.sort()
        limits.check_folder_depth(name, len(Path(parent).parts) - len(folder.parts))
        for file in (Path(parent) / item for item in sorted(names)):
            status = file.lstat()
            if file.name.startswith(".") or not stat.S_ISREG(status.st_mode):
                continue
            files.append(file)
            total += status.st_size
            limits.check_study_size(name, entries=len(files), size=total)
    return [_file_member(file, file.relative_to(folder)) for file in files]


def _referenced_members(folder: Path, directory: Member) -> list[Member]:
    """Return the files beside a DICOMDIR that it names and that are there."""
    files = find_files(folder, (entry.place for entry in read_directory(directory)))
    limits.check_study_size(directory.name, entries=len(files), size=sum(file.stat().st_size for file in files))
    return [_file_member(file, file.relative_to(folder)) for file in files]


def _file_member(file: Path, place: PurePath) -> Member:
    name = shown_name(file.name)

    def read() -> BinaryIO:
        try:
            return file.open("rb")
        except OSError as error:
            raise StudyError(f"{name}: the file cannot be opened ({error.strerror})") from error

    with read() as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(HEAD_BYTES)
    return Member(name, size, kind_of(head), read, file_id(place.parts), is_directory(head))


def _open_zip(path: Path) -> zipfile.ZipFile:
    name = shown_name(path.name)
    with path.open("rb") as stream:
        check_directory_size(stream, name)
    try:
        return zipfile.ZipFile(path)
    except _BROKEN_ZIP as error:
        raise StudyError(f"{name}: the zip archive is damaged or cut short ({type(error).__name__})") from error


def _zip_members(archive: zipfile.ZipFile, zip_name: str) -> list[Member]:
    # By name, as in a folder: the order of packing must not decide which of two contradicting files is kept.
    infos = sorted(plain_entries(archive, zip_name), key=lambda info: info.filename)
    return [_zip_member(archive, info, zip_name) for info in infos]


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, zip_name: str) -> Member:
    name = shown_name(base_name(info))
    with _named_zip_errors(name, zip_name), archive.open(info) as stream:
        head = stream.read(HEAD_BYTES)

    def read() -> BinaryIO:
        with _named_zip_errors(name, zip_name):
            content = archive.read(info)
            if len(content) != info.file_size:
                raise zipfile.BadZipFile(f"{info.file_size} bytes announced, {len(content)} found")
            return io.BytesIO(content)

    place = file_id(info.filename.replace("\\", "/").split("/"))
    return Member(name, info.file_size, kind_of(head), read, place, is_directory(head))


@contextmanager
def _named_zip_errors(name: str, zip_name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN_ZIP as error:
        raise StudyError(
            # zipfile's own words may quote the bytes it stumbled over.
            f"{zip_name}: {name} inside it is damaged or packed in an unknown way ({type(error).__name__})"
        ) from error
