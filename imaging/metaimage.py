"""Reads the grid of a MetaImage volume (.mha), the format that SPIDER's masks are published in.

The header is text, ``key = value`` a line, and ends with ``ElementDataFile = LOCAL``; the voxels follow, packed by
zlib or not, first axis fastest. Its world is LPS mm; a row of ``TransformMatrix`` is the direction of one axis.
A file that keeps its voxels in another one (.mhd with .raw) is refused: a header may name any file.
Source: https://itk.org/Wiki/ITK/MetaIO/Documentation; tested against SimpleITK's reader.
"""

import math
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from imaging import limits
from imaging.geometry import check_affine
from imaging.types import AffineMatrix
from runtime.errors import StudyError

_HEADER_BYTES = 65536
"""Longest header we read; usual ones have under 1 kB."""
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def read_metaimage_grid(stream: BinaryIO, name: str) -> tuple[NDArray[np.generic], AffineMatrix]:
    """Return the numbers of a MetaImage volume as stored, (I, J, K), and its affine voxel -> RAS+ mm.

    Args:
        stream: The file's bytes.
        name: File name, for messages.

    Raises:
        StudyError: If the file is damaged or cut short, keeps its voxels elsewhere, is no grey volume of three
            dimensions, or has an affine that cannot be.
    """
    header, start = _header(stream, name)
    shape = _shape(header, name)
    dtype = _dtype(header, name)
    affine = _affine(header, name)
    expected = math.prod(shape) * dtype.itemsize
    limits.check_voxels(name, math.prod(shape))
    limits.check_file_size(name, expected)
    stream.seek(start)
    raw = _unpacked(stream, expected, name) if _is_true(header, "CompressedData") else stream.read(expected)
    if len(raw) < expected:
        raise StudyError(f"{name}: expected {expected} bytes of voxels, found {len(raw)}: the file is cut short")
    return np.frombuffer(raw, dtype).reshape(shape, order="F"), affine


def _header(stream: BinaryIO, name: str) -> tuple[dict[str, str], int]:
    """Return the header's fields and where the voxels begin."""
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    header: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in header:
        end = head.find(b"\n", start)
        if end < 0:
            raise StudyError(f"{name}: expected a MetaImage header that ends with ElementDataFile, found none")
        key, sign, value = head[start:end].decode("latin-1").partition("=")
        if not sign:
            raise StudyError(f"{name}: expected lines of key = value in the header, found another; it is damaged")
        header[key.strip()] = value.strip()
        start = end + 1
    if header["ElementDataFile"] != "LOCAL":
        raise StudyError(
            f"{name}: expected the voxels in the same file (ElementDataFile = LOCAL), found them kept in another "
            "one; save it as one .mha file"
        )
    return header, start


def _shape(header: dict[str, str], name: str) -> tuple[int, int, int]:
    sizes = _numbers(header, "DimSize", name)
    channels = header.get("ElementNumberOfChannels", "1")
    if len(sizes) != 3 or any(size < 1 or not size.is_integer() for size in sizes):
        raise StudyError(f"{name}: expected a volume of 3 dimensions, found DimSize {header.get('DimSize')!r}")
    if channels != "1":
        raise StudyError(f"{name}: expected one value a voxel, found {channels}")
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def _dtype(header: dict[str, str], name: str) -> np.dtype[np.generic]:
    kind = header.get("ElementType")
    if kind not in _TYPES:
        raise StudyError(f"{name}: expected one of {', '.join(_TYPES)}, found ElementType {kind!r}")
    is_big = _is_true(header, "BinaryDataByteOrderMSB") or _is_true(header, "ElementByteOrderMSB")
    return np.dtype((">" if is_big else "<") + _TYPES[kind])


def _affine(header: dict[str, str], name: str) -> AffineMatrix:
    """Return voxel -> RAS+ mm from direction, spacing and position, each under one of its usual names."""
    spacing = np.array(_numbers(header, "ElementSpacing" if "ElementSpacing" in header else "ElementSize", name))
    offset = np.array(_numbers(header, _first_of(header, "Offset", "Position", "Origin"), name))
    matrix = np.array(_numbers(header, _first_of(header, "TransformMatrix", "Rotation", "Orientation"), name))
    if spacing.shape != (3,) or offset.shape != (3,) or matrix.shape != (9,):
        raise StudyError(
            f"{name}: expected spacing, position and direction of a volume, found {spacing.size}, {offset.size} "
            f"and {matrix.size} numbers; left and right cannot be told"
        )
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ (matrix.reshape(3, 3).T * spacing)
    affine[:3, 3] = _LPS_TO_RAS @ offset
    check_affine(name, affine)
    return affine


def _first_of(header: dict[str, str], *names: str) -> str:
    return next((name for name in names if name in header), names[0])


def _numbers(header: dict[str, str], key: str, name: str) -> list[float]:
    try:
        return [float(part) for part in header.get(key, "").split()]
    except ValueError as error:
        raise StudyError(f"{name}: expected numbers under {key}, found {header[key]!r}") from error


def _is_true(header: dict[str, str], key: str) -> bool:
    return header.get(key, "").lower() == "true"


def _unpacked(stream: BinaryIO, expected: int, name: str) -> bytes:
    """Return the voxels of a zlib stream, never more of them than the header announces."""
    unpacker = zlib.decompressobj()
    parts: list[bytes] = []
    left = expected
    try:
        while left and (packed := stream.read(1 << 20)):
            while packed and left:
                part = unpacker.decompress(packed, left)
                parts.append(part)
                left -= len(part)
                packed = unpacker.unconsumed_tail
    except zlib.error as error:
        raise StudyError(f"{name}: the voxels cannot be unpacked ({error}); the file is damaged") from error
    return b"".join(parts)
