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
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from imaging import limits
from imaging.sniff import HEAD_BYTES, FileKind, kind_of, sniff
from runtime.errors import StudyError

_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Member:
    """One file.

    Attributes:
        name: File name without its folders.
        size: Bytes, unpacked.
        kind: By its first bytes.
        open: Opens it for reading.
    """

    name: str
    size: int
    kind: FileKind
    open: Callable[[], BinaryIO]


@contextmanager
def open_members(path: Path) -> Iterator[list[Member]]:
    """Yield the files of a folder, a zip, or the one file that ``path`` is; they can be opened inside the block.

    Raises:
        StudyError: If there are too many files or bytes, or the zip is damaged, encrypted or a bomb.
    """
    if path.is_dir():
        yield _folder_members(path)
        return
    with path.open("rb") as stream:
        kind = sniff(stream)
    if kind is not FileKind.ZIP:
        yield [_file_member(path)]
        return
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN_ZIP as error:
        raise StudyError(f"{path.name}: the zip archive is damaged or cut short ({error})") from error
    with archive:
        yield _zip_members(archive, path.name)


def _folder_members(folder: Path) -> list[Member]:
    files: list[Path] = []
    total = 0
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            file = Path(parent) / name
            status = file.lstat()
            if name.startswith(".") or not stat.S_ISREG(status.st_mode):
                continue
            files.append(file)
            total += status.st_size
            limits.check_study_size(folder.name, entries=len(files), size=total)
    return [_file_member(file) for file in files]


def _file_member(file: Path) -> Member:
    size = file.stat().st_size
    with file.open("rb") as stream:
        kind = kind_of(stream.read(HEAD_BYTES))
    return Member(file.name, size, kind, lambda: file.open("rb"))


def _zip_members(archive: zipfile.ZipFile, zip_name: str) -> list[Member]:
    infos = [info for info in archive.infolist() if _is_plain_file(info)]
    total = sum(info.file_size for info in infos)
    limits.check_study_size(zip_name, entries=len(infos), size=total)
    packed = max(1, sum(info.compress_size for info in infos))
    if total > limits.ZIP_RATIO_FROM_BYTES and total / packed > limits.MAX_ZIP_RATIO:
        raise StudyError(
            f"{zip_name}: expected a zip that grows at most {limits.MAX_ZIP_RATIO} times when unpacked, found "
            f"{total / packed:.0f} times; pack the files again"
        )
    if any(info.flag_bits & 0x1 for info in infos):
        raise StudyError(f"{zip_name}: expected a zip without a password, found an encrypted one")
    return [_zip_member(archive, info, zip_name) for info in infos]


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, zip_name: str) -> Member:
    name = _base_name(info)
    with _named_zip_errors(name, zip_name), archive.open(info) as stream:
        kind = kind_of(stream.read(HEAD_BYTES))

    def read() -> BinaryIO:
        with _named_zip_errors(name, zip_name):
            return io.BytesIO(archive.read(info))

    if info.file_size > limits.MAX_FILE_BYTES:
        raise StudyError(f"{zip_name}: {name}: expected at most {limits.MAX_FILE_BYTES} bytes in one file")
    return Member(name, info.file_size, kind, read)


@contextmanager
def _named_zip_errors(name: str, zip_name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN_ZIP as error:
        raise StudyError(
            f"{zip_name}: {name} inside it is damaged or packed in an unknown way ({error})"
        ) from error


def _is_plain_file(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16
    is_special = stat.S_IFMT(mode) not in (0, stat.S_IFREG)
    is_hidden = _base_name(info).startswith(".") or info.filename.startswith("__MACOSX/")
    return not (info.is_dir() or is_special or is_hidden)


def _base_name(info: zipfile.ZipInfo) -> str:
    return PurePosixPath(info.filename.replace("\\", "/")).name
