"""Walks through the elements of a DICOM file without recursion, before pydicom parses it.

Values are skipped, never read or kept. The walk counts elements and nesting, makes sure that each value lies
inside the file, and says whether there are pixels and whether their length is whole. pydicom itself follows
sequences by recursion, reads past the end without a word, and unpacks a deflated file at once.
Source: DICOM PS3.5 section 7 (data set, sequences), annex A (transfer syntaxes; A.4 fragments); PS3.10, 7.1.
"""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from pydicom.datadict import dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from imaging import limits
from runtime.errors import StudyError

UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_TRANSFER_SYNTAX = 0x00020010
_WINDOW_BYTES = 16384
_LONG = frozenset(vr.encode() for vr in EXPLICIT_VR_LENGTH_32)
_PART = 1 << 20


@dataclass(frozen=True)
class Structure:
    """What the walk found.

    Attributes:
        pixel_bytes: Of the pixel element; of all fragments together when it is encapsulated; None without one.
        fragments: Of an encapsulated pixel element, without its offset table; None when it is not encapsulated.
    """

    pixel_bytes: int | None
    fragments: int | None


def check_structure(stream: BinaryIO, name: str) -> Structure:
    """Walk through a file; the stream is left at its start.

    Raises:
        LimitError: If it passes ``sequence_depth``, ``elements`` or ``header_bytes``; or, deflated, ``zip_ratio``
            or ``file_bytes``.
        StudyError: If an element runs past the end of the file.
    """
    walk = _Walk(stream, name)
    start, syntax = walk.meta()
    if syntax == DeflatedExplicitVRLittleEndian:
        walk = _Walk(_inflated(stream, start, name), name)
        start = 0
    walk.dataset(start, is_little=syntax != ExplicitVRBigEndian, is_implicit=syntax == ImplicitVRLittleEndian)
    stream.seek(0)
    return Structure(walk.pixel_bytes, walk.fragments)


@dataclass
class _Open:
    """A sequence or item that the walk is inside of.

    Attributes:
        end: Where it ends; None until its delimiter.
        is_item: An item, else a sequence.
        is_implicit: Its elements carry no VR.
    """

    end: int | None
    is_item: bool
    is_implicit: bool


class _Walk:
    """One pass over one stream."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._size = stream.seek(0, os.SEEK_END)
        self._window, self._window_at = b"", 0
        self._limits = limits.current()
        self._elements = 0
        self.pixel_bytes: int | None = None
        self.fragments: int | None = None

    def meta(self) -> tuple[int, str]:
        """Return where the data set begins and the transfer syntax that the meta group tells, empty if none."""
        position = 132 if self._at(128, 4) == b"DICM" else 0
        syntax = ""
        while self._at(position, 2) == b"\x02\x00":
            self._count()
            tag, _, length, start = self._element(position, "<", is_implicit=False)
            self._check_end(tag, start, length)
            if tag == _TRANSFER_SYNTAX:
                syntax = self._at(start, min(length, 64)).decode("latin-1").rstrip("\0 ")
            position = start + length
        return position, syntax

    def dataset(self, position: int, *, is_little: bool, is_implicit: bool) -> None:
        """Walk from a place to the end of the file."""
        order = "<" if is_little else ">"
        # As pydicom does: the first element shows whether it has a VR, whatever the meta group says.
        is_implicit = not self._at(position + 4, 2).isalpha() if position + 6 <= self._size else is_implicit
        inside: list[_Open] = []
        while position + 8 <= self._size:
            while inside and inside[-1].end is not None and position >= inside[-1].end:
                position = inside.pop().end or position
            self._count()
            bare = inside[-1].is_implicit if inside else is_implicit
            tag, vr, length, start = self._element(position, order, is_implicit=bare)
            if tag >> 16 == 0xFFFE:
                position = self._delimiter(tag, length, position + 8, inside)
            elif tag in _PIXELS and not inside:
                position = self._pixels(tag, length, start, order)
            elif vr == b"SQ" or length == UNDEFINED or (not vr and _is_sequence(tag)):
                if not inside:
                    self._check_end(tag, start, 0 if length == UNDEFINED else length)
                self._enter(inside, None if length == UNDEFINED else start + length, is_item=False, vr=vr)
                position = start
            else:
                if not inside and self.pixel_bytes is None:
                    self._check_end(tag, start, length)
                position = start + length
        if any(item.end is None for item in inside):
            raise self._cut("a sequence without its end")

    def _element(self, position: int, order: str, *, is_implicit: bool) -> tuple[int, bytes, int, int]:
        """Return tag, VR (empty: none), length and where the value starts."""
        raw = self._at(position, 12)
        if len(raw) < 8:
            raise self._cut("an element without its length")
        group, element = struct.unpack_from(order + "HH", raw)
        tag, vr = group << 16 | element, raw[4:6]
        if is_implicit or group == 0xFFFE or not b"AA" <= vr <= b"ZZ":
            return tag, b"", struct.unpack_from(order + "I", raw, 4)[0], position + 8
        if vr not in _LONG:
            return tag, vr, struct.unpack_from(order + "H", raw, 6)[0], position + 8
        if len(raw) < 12:
            raise self._cut("an element without its length")
        return tag, vr, struct.unpack_from(order + "I", raw, 8)[0], position + 12

    def _delimiter(self, tag: int, length: int, start: int, inside: list[_Open]) -> int:
        """Enter an item, or leave an item or sequence; return where the walk goes on."""
        if tag == _ITEM:
            self._enter(inside, None if length == UNDEFINED else start + length, is_item=True, vr=b"")
            return start
        wanted = tag == _ITEM_END
        while inside and inside[-1].is_item != wanted:  # a delimiter that was left out
            inside.pop()
        if inside:
            inside.pop()
        return start

    def _enter(self, inside: list[_Open], end: int | None, *, is_item: bool, vr: bytes) -> None:
        # An unknown VR of undefined length holds implicit elements (PS3.5 6.2.2, note 4).
        is_implicit = (inside[-1].is_implicit if inside else False) or (not is_item and vr in (b"UN", b""))
        inside.append(_Open(end, is_item, is_implicit))
        depth = sum(not item.is_item for item in inside) if len(inside) > self._limits.sequence_depth else 0
        if depth > self._limits.sequence_depth or len(inside) > 4 * self._limits.sequence_depth:
            raise limits.exceeded(
                "sequence_depth",
                f"{self._name}: expected at most {self._limits.sequence_depth} DICOM sequences within sequences, "
                "found more; the file is damaged or made to do harm",
            )

    def _pixels(self, tag: int, length: int, start: int, order: str) -> int:
        if start > self._limits.header_bytes:
            raise limits.exceeded(
                "header_bytes",
                f"{self._name}: expected pixels within {self._limits.header_bytes} bytes, found them at {start}",
            )
        if length != UNDEFINED:
            self._check_end(tag, start, length)
            self.pixel_bytes = length
            return start + length
        self.pixel_bytes = self.fragments = 0
        position, is_table = start, True
        while True:
            self._count()
            raw = self._at(position, 8)
            if len(raw) < 8:
                raise self._cut("compressed pixels without their end")
            group, element, size = struct.unpack(order + "HHI", raw)
            if group << 16 | element == _SEQUENCE_END:
                return position + 8
            if group << 16 | element != _ITEM or size == UNDEFINED:
                raise self._cut("compressed pixels that do not follow one another")
            self._check_end(tag, position + 8, size)
            if not is_table:
                self.fragments += 1
                self.pixel_bytes += size
            position, is_table = position + 8 + size, False

    def _count(self) -> None:
        self._elements += 1
        if self._elements > self._limits.elements:
            raise limits.exceeded(
                "elements",
                f"{self._name}: expected at most {self._limits.elements} DICOM elements in one file, found more; "
                "the file is damaged or made to do harm",
            )

    def _check_end(self, tag: int, start: int, length: int) -> None:
        if start + length > self._size:
            raise self._cut(f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) of {length} bytes ends after the file")

    def _cut(self, what: str) -> StudyError:
        return StudyError(f"{self._name}: the DICOM file is damaged or cut short: {what}; send it again")

    def _at(self, position: int, count: int) -> bytes:
        start = position - self._window_at
        if not 0 <= start <= len(self._window) - count:
            self._stream.seek(position)
            self._window, self._window_at, start = self._stream.read(_WINDOW_BYTES), position, 0
        return self._window[start : start + count]


@lru_cache(maxsize=4096)
def _is_sequence(tag: int) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:  # a private or unknown element; of defined length it is skipped
        return False


def _inflated(stream: BinaryIO, start: int, name: str) -> BinaryIO:
    """Return what a deflated data set unpacks to, as far as it may be long."""
    held = limits.current()
    unpacker, parts, total = zlib.decompressobj(-zlib.MAX_WBITS), list[bytes](), 0
    packed = max(1, stream.seek(0, os.SEEK_END) - start)
    stream.seek(start)
    try:
        while not unpacker.eof and (content := unpacker.unconsumed_tail or stream.read(_PART)):
            parts.append(unpacker.decompress(content, _PART))
            total += len(parts[-1])
            if total > held.file_bytes or (total > held.zip_ratio_from_bytes and total > held.zip_ratio * packed):
                raise limits.exceeded(
                    "zip_ratio",
                    f"{name}: expected deflated DICOM that grows at most {held.zip_ratio} times, found more",
                )
    except zlib.error as error:
        raise StudyError(f"{name}: the deflated DICOM data are damaged or cut short ({error})") from error
    return io.BytesIO(b"".join(parts))
