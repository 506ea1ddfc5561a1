"""An export as one zip: the same report gives the same bytes."""

from __future__ import annotations

from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reporting.export.formats import Export
from reporting.export.index import INDEX, checksum, index_file
from reporting.export.package import Package

MEDIA_TYPE = "application/zip"
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can hold: times would make every export another file."""


def write_zip(package: Package, export: Export, stream: BinaryIO) -> None:
    """Write the files and their index below one folder that has the name of the report.

    Args:
        package: What was exported.
        export: Its files.
        stream: Open for writing, seekable.
    """
    sums = {file.name: checksum(file.content) for file in export.files}
    index = index_file(package.outgoing, sums, export.left_out)
    with ZipFile(stream, "w") as archive:
        for file in (index, *export.files):
            member = ZipInfo(f"{package.stem}/{file.name}", date_time=_DATE)
            member.compress_type = ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, file.content)


def read_zip(stream: IO[bytes], most_bytes: int) -> dict[str, bytes]:
    """Return name -> content of the files of a zip that ``write_zip`` wrote, without their index.

    Args:
        stream: Open for reading, seekable.
        most_bytes: What all of it may hold unpacked.

    Raises:
        BadZipFile: If it is damaged.
        OverflowError: If it says that it holds more; a member that holds more than it says is damaged.
    """
    with ZipFile(stream) as archive:
        told = sum(member.file_size for member in archive.infolist())
        if told > most_bytes:
            raise OverflowError(f"expected a zip of at most {most_bytes} bytes unpacked, found {told}")
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return {name: content for name, content in members.items() if name != INDEX}
