"""Where the uncompressed pixels of a file lie, so that they are read straight from there.

Anything unusual (compressed, deflated, bits packed, a length that does not fit) is left to pydicom's decoders,
which say what is wrong with it.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.dicom.values import BROKEN, Elements, text, whole

_PLAIN_SYNTAXES = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
_PIXEL_DATA = (0x7FE0, 0x0010)
_LONG_KINDS = frozenset({b"OW", b"OB", b"UN"})


@dataclass(frozen=True)
class NativePixels:
    """Uncompressed grey pixels in a file.

    Attributes:
        offset: Of the first byte in the file.
        dtype: numpy name of a stored word, such as ``<u2``.
        unused_bits: Bits above the stored ones in each word; they may hold an overlay.
        shift: Bits below the stored ones.
    """

    offset: int
    dtype: str
    unused_bits: int
    shift: int


def find_native_pixels(stream: BinaryIO, dataset: Dataset, elements: Elements, size: int) -> NativePixels | None:
    """Return where the pixels lie, or None when a decoder must find them.

    Args:
        stream: Where pydicom left it: at the pixel element.
        dataset: Its header.
        elements: The elements of it.
        size: Bytes of the file.
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax not in _PLAIN_SYNTAXES:
        return None
    is_implicit, is_little = dataset.original_encoding
    try:
        length = _element_length(stream, is_implicit=bool(is_implicit), is_little=bool(is_little))
    except BROKEN:  # no pixel element here: the decoder looks for it and says what it found
        return None
    word = _word(elements, is_little=bool(is_little))
    if length is None or word is None:
        return None
    dtype, unused_bits, shift = word
    rows, columns, frames = (whole(elements, name) or 0 for name in ("Rows", "Columns", "NumberOfFrames"))
    needed = rows * columns * max(1, frames) * int(dtype[-1])
    offset = stream.tell()
    fits = 0 < needed <= length and offset + needed <= size
    return NativePixels(offset, dtype, unused_bits, shift) if fits else None


def read_native_frame(
    stream: BinaryIO, native: NativePixels, frame: int, rows: int, columns: int
) -> NDArray[np.generic]:
    """Read one frame.

    Returns:
        (rows, columns) integers in the machine's byte order, without unused bits.

    Raises:
        ValueError: If the file ends too early.
    """
    dtype = np.dtype(native.dtype)
    count = rows * columns
    stream.seek(native.offset + frame * count * dtype.itemsize)
    raw = stream.read(count * dtype.itemsize)
    stored = np.frombuffer(raw, dtype=dtype, count=count).reshape(rows, columns)
    if not native.unused_bits and not native.shift:
        return stored
    # Shifting up and down drops the bits above the stored ones and spreads the sign.
    aligned = stored.astype(dtype.newbyteorder("="))
    np.left_shift(aligned, native.unused_bits, out=aligned)
    np.right_shift(aligned, native.unused_bits + native.shift, out=aligned)
    return aligned


def _element_length(stream: BinaryIO, *, is_implicit: bool, is_little: bool) -> int | None:
    """Read the head of the pixel element; return the bytes of its value, None when it is another element."""
    order = "<" if is_little else ">"
    group, element = struct.unpack(f"{order}HH", stream.read(4))
    if (group, element) != _PIXEL_DATA:
        return None
    if is_implicit:
        length = struct.unpack(f"{order}I", stream.read(4))[0]
    else:
        kind, _, length = struct.unpack(f"{order}2sHI", stream.read(8))
        if kind not in _LONG_KINDS:
            return None
    return None if length == 0xFFFFFFFF else int(length)


def _word(elements: Elements, *, is_little: bool) -> tuple[str, int, int] | None:
    """Return numpy's name of a stored word, its unused high bits and its shift; None when a decoder must judge."""
    allocated, stored = whole(elements, "BitsAllocated"), whole(elements, "BitsStored")
    if allocated not in (8, 16, 32) or (whole(elements, "SamplesPerPixel") or 1) != 1:
        return None
    if allocated == 8 and not is_little:  # single bytes in words of two: pydicom unswaps them
        return None
    if not text(elements, "PhotometricInterpretation").upper().startswith("MONOCHROME"):
        return None
    stored = allocated if stored is None else stored
    high = whole(elements, "HighBit")
    high = stored - 1 if high is None else high
    if not 1 <= stored <= high + 1 <= allocated:
        return None
    kind = "i" if whole(elements, "PixelRepresentation") == 1 else "u"
    return f"{'<' if is_little else '>'}{kind}{allocated // 8}", allocated - 1 - high, high + 1 - stored
