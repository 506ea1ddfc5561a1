"""Tells what a file is by its first bytes, never by its name."""

import gzip
import struct
import zlib
from enum import StrEnum
from typing import BinaryIO

HEAD_BYTES = 512


class FileKind(StrEnum):
    """Kinds of content we can name; the value is how a message calls it."""

    PNG = "a PNG picture"
    JPEG = "a JPEG picture"
    TIFF = "a TIFF picture"
    NIFTI = "a NIfTI volume"
    NIFTI_PAIR = "one half of a NIfTI or Analyze .hdr/.img pair"
    DICOM = "a DICOM file"
    ZIP = "a zip archive"
    GZIP = "gzip data that hold no NIfTI volume"
    GIF = "a GIF picture"
    BMP = "a BMP picture"
    WEBP = "a WebP picture"
    PDF = "a PDF document"
    META_IMAGE = "a MetaImage volume (.mha)"
    NRRD = "an NRRD volume"
    ARCHIVE = "an archive that is not zip"
    TEXT = "text"
    UNKNOWN = "data of unknown kind"


PICTURES = frozenset({FileKind.PNG, FileKind.JPEG, FileKind.TIFF})

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", FileKind.PNG),
    (b"\xff\xd8\xff", FileKind.JPEG),
    (b"II*\x00", FileKind.TIFF),
    (b"MM\x00*", FileKind.TIFF),
    (b"II+\x00", FileKind.TIFF),
    (b"MM\x00+", FileKind.TIFF),
    (b"PK\x03\x04", FileKind.ZIP),
    (b"PK\x05\x06", FileKind.ZIP),
    (b"GIF8", FileKind.GIF),
    (b"BM", FileKind.BMP),
    (b"%PDF", FileKind.PDF),
    (b"ObjectType", FileKind.META_IMAGE),
    (b"NRRD", FileKind.NRRD),
    (b"7z\xbc\xaf", FileKind.ARCHIVE),
    (b"Rar!", FileKind.ARCHIVE),
    (b"\x1f\x8b", FileKind.GZIP),
)


def sniff(stream: BinaryIO) -> FileKind:
    """Return the kind of a stream's content; leaves the stream at its start."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    kind = kind_of(head)
    if kind is FileKind.GZIP:
        stream.seek(0)
        inner = nifti_kind(_gunzip_head(stream))
        kind = FileKind.GZIP if inner is None else inner
    stream.seek(0)
    return kind


def kind_of(head: bytes) -> FileKind:
    """Return the kind that the first ``HEAD_BYTES`` bytes tell (gzip is not opened)."""
    if head[128:132] == b"DICM":
        return FileKind.DICOM
    nifti = nifti_kind(head)
    if nifti is not None:
        return nifti
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileKind.WEBP
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _is_bare_dicom(head):
        return FileKind.DICOM
    return FileKind.TEXT if _is_text(head) else FileKind.UNKNOWN


def nifti_kind(head: bytes) -> FileKind | None:
    """Return whether unpacked bytes start a NIfTI file (1 or 2), one half of a pair, or neither (None)."""
    if len(head) < 348:
        return None
    sizes = {struct.unpack(order + "i", head[:4])[0] for order in "<>"}
    if 348 in sizes:
        return FileKind.NIFTI if head[344:348] == b"n+1\x00" else FileKind.NIFTI_PAIR
    if 540 in sizes and head[4:8] in (b"n+2\x00", b"ni2\x00"):
        return FileKind.NIFTI if head[4:8] == b"n+2\x00" else FileKind.NIFTI_PAIR
    return None


def _is_bare_dicom(head: bytes) -> bool:
    """Say whether the bytes start with an element of group 2 or 8, as DICOM without a preamble does."""
    if len(head) < 8 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    has_explicit_vr = head[4:6].isalpha() and head[4:6].isupper()
    has_short_length = int.from_bytes(head[4:8], "little") < 256
    return has_explicit_vr or has_short_length


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # only a character cut at the end is still text
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)


def _gunzip_head(stream: BinaryIO) -> bytes:
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            return unpacked.read(HEAD_BYTES + 64)
    except (OSError, EOFError, zlib.error):
        return b""
