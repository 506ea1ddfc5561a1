"""What the code stream of a compressed frame says of its size, before a decoder takes memory for it.

Some decoders believe it, ask for gigabytes and end the process when there are none.
Source: JPEG (ITU-T T.81) B.2; JPEG-LS (T.87) C.2.2; JPEG 2000 (T.800) A.5.1.
"""

import struct
from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from imaging.dicom.values import BROKEN
from runtime.errors import StudyError

_JPEG, _J2K = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAMES = ({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}) | {0xF7}
"""Markers that begin a frame: SOF of JPEG, and SOF55 of JPEG-LS."""

_MAX_SEGMENTS = 1000
"""Segments before the frame; own choice: encoders write a few."""


def check_sizes(dataset: Dataset, frames: Iterable[int], name: str) -> None:
    """Refuse frames whose code stream tells another size than the header.

    Args:
        dataset: With encapsulated pixels.
        frames: Indices that will be decoded.
        name: File name, for the message.

    Raises:
        StudyError: If one does, or the fragments cannot be sorted into frames.
    """
    wanted = set(frames)
    expected = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    extended = offsets if offsets[0] and offsets[1] else None
    try:
        codes = generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=extended)
        for index, code in enumerate(codes):
            found = stated_size(code) if index in wanted else None
            if found is not None and found != expected:
                raise StudyError(
                    f"{name}: expected {expected[1]} x {expected[0]} pixels, found a compressed image of "
                    f"{found[1]} x {found[0]}; the file is damaged: send it again, uncompressed if need be"
                )
            if index >= max(wanted):
                return
    except BROKEN as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(
            f"{name}: expected whole pixel data, found fragments that are no {count} frames; the file is "
            "damaged or cut short: send it again, uncompressed if need be"
        ) from error


def stated_size(code: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that a code stream tells; None when it is of another kind (RLE) or tells none."""
    if code[:4] == _J2K:
        width, height, left, top = struct.unpack(">4I", code[8:24].ljust(16, b"\0"))
        return height - top, width - left
    if code[:2] == _JPEG:
        return _jpeg_size(code)
    return None


def _jpeg_size(code: bytes) -> tuple[int, int] | None:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        head = code[position : position + 9]
        if len(head) < 9 or head[0] != 0xFF:
            return None
        if head[1] == 0xFF:  # a fill byte
            position += 1
        elif head[1] in _FRAMES:
            rows, columns = struct.unpack(">HH", head[5:9])
            return rows, columns
        else:
            position += 2 + int.from_bytes(head[2:4], "big")
    return None
