"""DICOM with compressed pixels whose fragments, tables or code streams lie."""

import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from tests.imaging.corpus.instances import ITEM, SEQUENCE_END, UNDEFINED, enhanced, instance, to_bytes
from tests.imaging.corpus.pictures import encoded
from tests.imaging.corpus.registry import Case, Group

GROUP = Group()
SIDE = 64
SHAPE = (SIDE, SIDE, 1)
IMAGE = (np.add.outer(np.arange(SIDE) * 9, np.arange(SIDE) * 5) % 997).astype("<u2")
UNDECODED = r"x\.dcm: .*(expected whole pixel data|damaged or cut short|expected \d+ x \d+)"


@lru_cache
def sound(syntax: str) -> bytes:
    """Return one slice of 64 x 64, compressed."""
    dataset = instance(0, Rows=SIDE, Columns=SIDE, PixelData=IMAGE.tobytes())
    dataset.compress(syntax, generate_instance_uid=False)
    return to_bytes(dataset)


def parts(raw: bytes) -> tuple[bytes, list[bytes]]:
    """Return a file up to the head of its pixel element, and its items (the first is the offset table)."""
    start = raw.index(b"\xe0\x7f\x10\x00OB\x00\x00" + UNDEFINED) + 12
    items, position = [], start
    while raw[position : position + 4] == ITEM:
        (length,) = struct.unpack_from("<I", raw, position + 4)
        items.append(raw[position + 8 : position + 8 + length])
        position += 8 + length
    return raw[:start], items


def joined(head: bytes, items: list[bytes], *, end: bytes = SEQUENCE_END + bytes(4)) -> bytes:
    return head + b"".join(ITEM + struct.pack("<I", len(item)) + item for item in items) + end


def jpeg() -> bytes:
    """Return one slice of 8 bits as JPEG baseline."""
    from PIL import Image

    dataset = instance(0, Rows=SIDE, Columns=SIDE, PixelData=bytes(SIDE * SIDE))
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    from pydicom.encaps import encapsulate

    dataset.PixelData = encapsulate([encoded(Image.fromarray((IMAGE % 256).astype(np.uint8)), "JPEG")])
    dataset["PixelData"].is_undefined_length = True
    return to_bytes(dataset)


def _case(
    name: str, make: Callable[[], bytes], refused: str | None = None, shape: tuple[int, int, int] = SHAPE
) -> None:
    def write(folder: Path) -> Path:
        file = folder / "x.dcm"
        file.write_bytes(make())
        return file

    GROUP.add(Case(name, write, refused=refused, shape=None if refused else shape))


def _of(syntax: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[], bytes]:
    def make() -> bytes:
        head, items = parts(sound(syntax))
        return joined(head, change(items))

    return make


NONE = r"x\.dcm: expected the pixels of an MR image, found none"
SYNTAXES = {"rle": RLELossless, "jpegls": JPEGLSLossless, "j2k": JPEG2000Lossless}
for _name, _syntax in SYNTAXES.items():
    _case(f"{_name}_sound", lambda syntax=_syntax: sound(syntax))  # type: ignore[misc]
    _case(
        f"{_name}_without_fragments", _of(_syntax, lambda items: items[:1]), r"x\.dcm: expected the pixels .*none"
    )
    _case(f"{_name}_without_items", _of(_syntax, lambda items: []), NONE)
    _case(f"{_name}_of_an_empty_fragment", _of(_syntax, lambda items: [b"", b""]), r"x\.dcm: expected the pixels")
    _case(f"{_name}_of_zeros", _of(_syntax, lambda items: [b"", bytes(500)]), UNDECODED)
    _case(f"{_name}_of_noise", _of(_syntax, lambda items: [b"", bytes(range(256)) * 4]), UNDECODED)
    _case(f"{_name}_cut_in_half", _of(_syntax, lambda items: [b"", items[1][: len(items[1]) // 2]]), UNDECODED)
    _case(
        f"{_name}_without_its_end",
        lambda syntax=_syntax: joined(*parts(sound(syntax)), end=b""),  # type: ignore[misc]
        r"x\.dcm: .*compressed pixels without their end",
    )
    _case(
        f"{_name}_whose_fragment_runs_on",
        lambda syntax=_syntax: parts(sound(syntax))[0] + ITEM + bytes(4) + ITEM + b"\xfe\xff\xff\xff" + bytes(99),  # type: ignore[misc]
        r"x\.dcm: .*damaged or cut short",
    )
    _case(
        f"{_name}_whose_fragment_has_no_length",
        lambda syntax=_syntax: parts(sound(syntax))[0] + ITEM + bytes(4) + ITEM + UNDEFINED + bytes(99),  # type: ignore[misc]
        r"x\.dcm: .*compressed pixels that do not follow one another",
    )


def _table(*offsets: int) -> bytes:
    return struct.pack(f"<{len(offsets)}I", *offsets)


def _frames(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[], bytes]:
    """Return an enhanced object of three RLE frames with changed items."""

    def make() -> bytes:
        dataset = enhanced(Rows=SIDE, Columns=SIDE, PixelData=np.stack([IMAGE] * 3).tobytes())
        dataset.compress(RLELossless, generate_instance_uid=False)
        head, items = parts(to_bytes(dataset))
        return joined(head, change(items))

    return make


THREE = (SIDE, SIDE, 3)
_case("three_frames_sound", _frames(lambda items: items), shape=THREE)
_case("three_frames_without_a_table", _frames(lambda items: [b"", *items[1:]]), shape=THREE)
_case("table_of_one_frame_of_three", _frames(lambda items: [_table(0), *items[1:]]), UNDECODED)
_case("table_beyond_the_end", _frames(lambda items: [_table(0, 10**6, 2**31), *items[1:]]), UNDECODED)
_case("table_that_goes_back", _frames(lambda items: [_table(0, 999, 5), *items[1:]]), UNDECODED)
_case("table_of_odd_bytes", _frames(lambda items: [b"\0" * 6, *items[1:]]), UNDECODED)
_case("two_frames_where_three_are_told", _frames(lambda items: [b"", *items[1:3]]), UNDECODED)


def _j2k_size(columns: int, rows: int) -> Callable[[], bytes]:
    """Return JPEG 2000 whose code stream (marker SIZ, T.800 A.5.1) tells another size than the header."""

    def change(items: list[bytes]) -> list[bytes]:
        code = bytearray(items[1])
        place = code.index(b"\xff\x51")
        struct.pack_into(">II", code, place + 6, columns, rows)
        struct.pack_into(">II", code, place + 22, columns, rows)  # one tile of that size
        return [b"", bytes(code)]

    return _of(JPEG2000Lossless, change)


_case("j2k_that_says_60000_squared", _j2k_size(60000, 60000), UNDECODED)
_case("j2k_that_says_the_largest_size", _j2k_size(2**32 - 1, 2**32 - 1), UNDECODED)
_case("j2k_that_says_half_its_size", _j2k_size(SIDE // 2, SIDE), UNDECODED)


def _jpegls_size(columns: int, rows: int) -> Callable[[], bytes]:
    def change(items: list[bytes]) -> list[bytes]:
        code = bytearray(items[1])
        place = code.index(b"\xff\xf7")  # SOF55, T.87 C.2.2
        struct.pack_into(">HH", code, place + 5, rows, columns)
        return [b"", bytes(code)]

    return _of(JPEGLSLossless, change)


_case("jpegls_that_says_65535_squared", _jpegls_size(65535, 65535), UNDECODED)
_case("jpegls_that_says_half_its_size", _jpegls_size(SIDE, SIDE // 2), UNDECODED)


def _jpeg_size(columns: int, rows: int) -> Callable[[], bytes]:
    def make() -> bytes:
        raw = bytearray(jpeg())
        struct.pack_into(">HH", raw, raw.index(b"\xff\xc0") + 5, rows, columns)
        return bytes(raw)

    return make


_case("jpeg_sound", jpeg)
_case("jpeg_that_says_65535_squared", _jpeg_size(65535, 65535), UNDECODED)
_case("jpeg_that_says_half_its_height", _jpeg_size(SIDE, SIDE // 2), UNDECODED)


def _rle_header(count: int, *offsets: int) -> Callable[[], bytes]:
    def change(items: list[bytes]) -> list[bytes]:
        header = struct.pack("<16I", count, *offsets, *([0] * (15 - len(offsets))))
        return [b"", header + items[1][64:]]

    return _of(RLELossless, change)


_case("rle_of_99_segments", _rle_header(99, 64), UNDECODED)
_case("rle_of_no_segments", _rle_header(0), UNDECODED)
_case("rle_whose_segments_lie_beyond_its_end", _rle_header(2, 64, 2**31), UNDECODED)
_case("rle_whose_segments_go_back", _rle_header(2, 500, 64), UNDECODED)
