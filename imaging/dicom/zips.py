"""The wall before a zip archive: what its directory says is checked before anything is unpacked.

Source: PKWARE APPNOTE 6.3.10, sections 4.3.16 (end of central directory), 4.3.14 (its zip64 form). Overlapping
members: D. Fifield, "A better zip bomb", WOOT 2019.
"""

import os
import stat
import struct
import zipfile
from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO

from imaging import limits
from runtime.errors import StudyError
from runtime.names import shown_name

DIRECTORY_BYTES_PER_ENTRY = 512
"""Room that one entry may take in the directory, on average; own choice: 46 bytes, a long name, extra fields."""

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES, _LOCATOR_BYTES = 22, 20
_LOCAL_HEADER_BYTES = 30


def check_directory_size(stream: BinaryIO, zip_name: str) -> None:
    """Refuse an archive whose directory alone is too large to be parsed.

    The directory's own count of entries is not believed; its size in bytes is what the parser walks through.

    Raises:
        LimitError: If it has room for more than ``entries`` files.
    """
    most = limits.current().entries * DIRECTORY_BYTES_PER_ENTRY
    size = _directory_bytes(stream)
    if size > most:
        raise limits.exceeded(
            "entries", f"{zip_name}: expected a zip directory of at most {most} bytes, found {size}"
        )


def plain_entries(archive: zipfile.ZipFile, zip_name: str) -> list[zipfile.ZipInfo]:
    """Return the entries to read: plain files, without links, devices and hidden files.

    Raises:
        LimitError: If there are too many or they grow too much.
        StudyError: If the archive is encrypted, packed in an unusual way, or its members overlap.
    """
    infos = [info for info in archive.infolist() if _is_plain_file(info)]
    total = sum(info.file_size for info in infos)
    limits.check_study_size(zip_name, entries=len(archive.infolist()), size=total)
    _check_ratio(infos, total, zip_name)
    _check_overlap(archive.infolist(), zip_name)
    for info in infos:
        _check_entry(info, zip_name)
    return infos


def base_name(info: zipfile.ZipInfo) -> str:
    """Return the last part of an entry's path; nothing is unpacked to disk, so the rest has no effect."""
    return PurePosixPath(info.filename.replace("\\", "/")).name


def _check_ratio(infos: list[zipfile.ZipInfo], total: int, zip_name: str) -> None:
    packed = max(1, sum(info.compress_size for info in infos))
    held = limits.current()
    if total > held.zip_ratio_from_bytes and total / packed > held.zip_ratio:
        raise limits.exceeded(
            "zip_ratio",
            f"{zip_name}: expected a zip that grows at most {held.zip_ratio} times when unpacked, found "
            f"{total / packed:.0f} times; pack the files again",
        )


def _check_overlap(infos: list[zipfile.ZipInfo], zip_name: str) -> None:
    """Refuse members that share bytes, as no honest packer makes them."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for info, following in pairwise(ordered):
        if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > following.header_offset:
            raise StudyError(
                f"{zip_name}: expected files one after another in the zip, found two that share the same bytes, "
                "as a zip bomb has; pack the files again",
                code="zip_overlap",
            )


def _check_entry(info: zipfile.ZipInfo, zip_name: str) -> None:
    if info.flag_bits & 0x1:
        raise StudyError(
            f"{zip_name}: expected a zip without a password, found an encrypted one", code="zip_encrypted"
        )
    name = shown_name(base_name(info))
    most = limits.current().file_bytes
    if info.file_size > most:
        raise limits.exceeded(
            "file_bytes", f"{zip_name}: {name}: expected at most {most} bytes in one file, found {info.file_size}"
        )
    if info.compress_type not in _METHODS:
        raise StudyError(
            f"{zip_name}: {name} inside it is packed in an unknown way (method {info.compress_type}); expected "
            "a plain zip, stored or deflated: pack the files again",
            code="zip_method",
        )


def _is_plain_file(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16
    is_special = stat.S_IFMT(mode) not in (0, stat.S_IFREG)
    is_hidden = base_name(info).startswith(".") or info.filename.startswith("__MACOSX/")
    # ZipInfo.is_dir fails on an entry without a name, which is read like any other.
    return not (info.filename.endswith("/") or is_special or is_hidden)


def _directory_bytes(stream: BinaryIO) -> int:
    """Return the size of the central directory as the end record gives it; 0 when there is no end record."""
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - _END_BYTES - 0xFFFF)
    stream.seek(start)
    tail = stream.read()
    found = tail.rfind(_END)
    if found < 0 or len(tail) < found + _END_BYTES:
        return 0
    told = int(struct.unpack_from("<I", tail, found + 12)[0])
    return max(told if told != 0xFFFFFFFF else 0, _directory_bytes_64(stream, start + found))


def _directory_bytes_64(stream: BinaryIO, end: int) -> int:
    """Return the same from the zip64 end record, if one stands before the plain one at ``end``."""
    if end < _LOCATOR_BYTES:
        return 0
    stream.seek(end - _LOCATOR_BYTES)
    locator = stream.read(_LOCATOR_BYTES)
    if locator[:4] != _LOCATOR_64:
        return 0
    offset = struct.unpack_from("<Q", locator, 8)[0]
    if offset >= end:
        return 0
    stream.seek(offset)
    record = stream.read(56)
    return int(struct.unpack_from("<Q", record, 40)[0]) if record[:4] == _END_64 and len(record) == 56 else 0
