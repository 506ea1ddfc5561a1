"""What the header of a picture says, read by hand before any decoder sees the file.

A decoder believes sizes, fills missing rows with grey and follows every scan and every directory it is told of.
Here they are counted first, each loop with an end.
Source: PNG (W3C, third edition) chapters 5, 8 and 11; JPEG (ITU-T T.81) annex B; TIFF 6.0 section 2 and BigTIFF.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from imaging.sniff import FileKind
from runtime.errors import StudyError

MAX_CHUNKS = 200_000
"""Chunks of a PNG; own choice: the largest picture allowed has 16,000 of the usual 8 KiB."""

MAX_SEGMENTS = 10_000
"""Segments of a JPEG; own choice: phones write about 20."""

MAX_SCANS = 64
"""Scans of a progressive JPEG; own choice: encoders write about 10, and each costs a pass over the picture."""

MAX_PAGES = 1000
"""Directories of a TIFF that are counted; own choice."""

MAX_TAGS = 4096
"""Tags of a TIFF directory; own choice: writers use about 20."""

_Buffer = mmap.mmap | bytes
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: column and row of the first pixel, and the steps, of each pass.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# A marker inside entropy-coded data: not a stuffed zero, fill byte or restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TIFF_SIZES = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True)
class PictureHeader:
    """Size and kind of a picture.

    Attributes:
        width: Columns.
        height: Rows.
        bits: Of each channel.
        channels: As stored; 1 for a palette.
        pages: Pictures in the file.
        palette: Colours of a PNG's palette; None where there is none.
    """

    width: int
    height: int
    bits: int
    channels: int
    pages: int = 1
    palette: int | None = None


def read_header(data: _Buffer, kind: FileKind, name: str) -> PictureHeader:
    """Read what the header says.

    Raises:
        StudyError: If the structure is broken or runs on beyond reason.
    """
    readers = {FileKind.PNG: _png, FileKind.JPEG: _jpeg, FileKind.TIFF: _tiff}
    try:
        return readers[kind](data, name)
    except (struct.error, IndexError, KeyError) as error:
        raise _broken(name, "its header cannot be followed") from error


def check_png_rows(data: _Buffer, header: PictureHeader, name: str) -> None:
    """Refuse a PNG whose data end before its last row; nothing is kept.

    Raises:
        StudyError: If they do, or cannot be unpacked.
    """
    is_interlaced = data[28] == 1
    expected = _png_bytes(header, is_interlaced)
    unpacker, found = zlib.decompressobj(), 0
    try:
        for kind, start, length in _chunks(data, name):
            if kind == b"IDAT" and found < expected:
                found += sum(len(part) for part in _unpacked(unpacker, data[start : start + length]))
    except zlib.error as error:
        raise _broken(name, f"its pixels cannot be unpacked ({error})") from error
    if found < expected:
        raise _broken(name, f"expected {expected} bytes of pixels, found {found}")


def _broken(name: str, why: str) -> StudyError:
    return StudyError(f"{name}: the picture is damaged or cut short: {why}; export it again")


def _chunks(data: _Buffer, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of each chunk, to the end chunk."""
    position = 8
    for _ in range(MAX_CHUNKS):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind = data[position + 4 : position + 8]
        if position + 12 + length > len(data):
            raise _broken(name, f"a chunk of {length} bytes runs past the end of the file")
        yield kind, position + 8, length
        if kind == b"IEND":
            return
        position += 12 + length
    raise _broken(name, f"expected at most {MAX_CHUNKS} chunks, found more")


def _png(data: _Buffer, name: str) -> PictureHeader:
    if data[12:16] != b"IHDR":
        raise _broken(name, "expected a header chunk")
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    if colour not in _PNG_CHANNELS or bits not in (1, 2, 4, 8, 16) or min(width, height) < 1:
        raise _broken(name, f"a size or colour type that cannot be ({width} x {height}, type {colour})")
    pages, palette = 1, None
    for kind, start, length in _chunks(data, name):
        if kind == b"acTL":
            pages = max(1, struct.unpack(">I", data[start : start + 4])[0])
        if kind == b"PLTE":
            palette = length // 3
    if colour == 3 and not palette:
        raise _broken(name, "expected a palette, found none")
    return PictureHeader(width, height, bits, _PNG_CHANNELS[colour], pages, palette if colour == 3 else None)


def _png_bytes(header: PictureHeader, is_interlaced: bool) -> int:
    """Return the bytes of all rows, each led by its filter."""
    passes = _PASSES if is_interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, column_step, row_step in passes:
        columns = max(0, -(-(header.width - column) // column_step))
        rows = max(0, -(-(header.height - row) // row_step))
        if columns:
            total += rows * (1 + -(-columns * header.bits * header.channels // 8))
    return total


def _unpacked(unpacker: "zlib._Decompress", content: bytes) -> Iterator[bytes]:
    """Yield what a chunk unpacks to in parts of at most 1 MiB."""
    while content and not unpacker.eof:
        yield unpacker.decompress(content, 1 << 20)
        content = unpacker.unconsumed_tail


def _jpeg(data: _Buffer, name: str) -> PictureHeader:
    position, scans, header = 2, 0, None
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            raise _broken(name, "it has no end")
        marker, position = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        if marker == 0x01 or marker == 0xD8:  # stand alone
            continue
        (length,) = struct.unpack(">H", data[position : position + 2])
        if marker in _FRAMES and header is None:
            bits, height, width, channels = struct.unpack(">BHHB", data[position + 2 : position + 8])
            header = PictureHeader(width, height, bits, channels)
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise StudyError(
                f"{name}: expected a JPEG of at most {MAX_SCANS} scans, found more; save it as PNG",
                code="jpeg_scans",
            )
        position += length
    else:
        raise _broken(name, f"expected at most {MAX_SEGMENTS} segments, found more")
    if header is None or not scans or min(header.width, header.height) < 1:
        raise _broken(name, "it holds no picture")
    return header


def _tiff(data: _Buffer, name: str) -> PictureHeader:
    order = "<" if data[:2] == b"II" else ">"
    is_big = 43 in data[2:4]
    (offset,) = struct.unpack(order + ("Q" if is_big else "I"), data[8:16] if is_big else data[4:8])
    first, pages, seen = None, 0, set[int]()
    while offset and pages < MAX_PAGES:
        if offset in seen:
            raise _broken(name, "its directories follow one another in a ring")
        seen.add(offset)
        tags, offset = _directory(data, offset, order, is_big)
        first = tags if first is None else first
        pages += 1
    if first is None:
        raise _broken(name, "it holds no picture")
    width, height = first.get(256, 0), first.get(257, 0)
    if min(width, height) < 1:
        raise _broken(name, "it tells no size")
    return PictureHeader(width, height, first.get(258, 1), first.get(277, 1), pages)


def _directory(data: _Buffer, offset: int, order: str, is_big: bool) -> tuple[dict[int, int], int]:
    """Return the first value of each short tag of a directory, and where the next directory lies (0: none)."""
    count_code, entry_code, next_code = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    head = struct.calcsize(order + count_code)
    (count,) = struct.unpack(order + count_code, data[offset : offset + head])
    if count > MAX_TAGS:
        raise IndexError(count)
    size = struct.calcsize(order + entry_code)
    tags: dict[int, int] = {}
    position = offset + head
    for _ in range(count):
        tag, kind, number, value = struct.unpack(order + entry_code, data[position : position + size])
        position += size
        if kind in _TIFF_SIZES and number:
            code = order + _TIFF_SIZES[kind]
            width = struct.calcsize(code)
            if number * width > len(value):  # the values lie elsewhere
                (place,) = struct.unpack(order + next_code, value)
                value = data[place : place + width]
            tags[tag] = struct.unpack(code, value[:width])[0]
    (following,) = struct.unpack(order + next_code, data[position : position + struct.calcsize(order + next_code)])
    return tags, following
