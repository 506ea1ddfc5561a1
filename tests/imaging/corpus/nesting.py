"""DICOM files whose sequences nest without end, count without end, or never end."""

import struct
from collections.abc import Callable
from pathlib import Path

from pydicom.uid import ImplicitVRLittleEndian

from tests.imaging.corpus.instances import (
    ITEM,
    ITEM_END,
    ONE_SHAPE,
    SEQUENCE_END,
    SHAPE,
    UNDEFINED,
    element,
    enhanced,
    implicit,
    instance,
    sound_slice,
    to_bytes,
    with_element,
)
from tests.imaging.corpus.registry import Case, Group

GROUP = Group()
PRIVATE = 0x00271010
DEEP = r"bomb\.dcm: expected at most 32 DICOM sequences within sequences, found more"


def save(folder: Path, content: bytes) -> Path:
    file = folder / "bomb.dcm"
    file.write_bytes(content)
    return file


def undefined(depth: int, tag: int, vr: str = "SQ", inner: bytes = b"") -> bytes:
    """Return explicit sequences of undefined length, one in another."""
    head = element(tag, vr, b"", length=0xFFFFFFFF) + ITEM + UNDEFINED
    return head * depth + inner + (ITEM_END + bytes(4) + SEQUENCE_END + bytes(4)) * depth


def defined(depth: int, tag: int) -> bytes:
    """Return explicit sequences of defined length, one in another."""
    content = b""
    for _ in range(depth):
        content = element(tag, "SQ", ITEM + struct.pack("<I", len(content)) + content)
    return content


def undefined_implicit(depth: int, tag: int) -> bytes:
    head = implicit(tag, b"", length=0xFFFFFFFF) + ITEM + UNDEFINED
    return head * depth + (ITEM_END + bytes(4) + SEQUENCE_END + bytes(4)) * depth


def defined_implicit(depth: int, tag: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = implicit(tag, ITEM + struct.pack("<I", len(content)) + content)
    return content


def implicit_slice() -> bytes:
    dataset = instance(0)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return to_bytes(dataset)


def explicit_file(extra: bytes) -> bytes:
    return with_element(sound_slice(0), extra)


def implicit_file(extra: bytes) -> bytes:
    return with_element(implicit_slice(), extra)


def _deep(name: str, make: Callable[[], bytes]) -> None:
    GROUP.add(
        Case(
            name, lambda folder: save(folder, make()), refused=DEEP, kind="LimitError", code="limit_sequence_depth"
        )
    )


# In a public sequence, an unknown private one, and the functional groups that are read.
_deep("undefined_10_000_deep", lambda: explicit_file(undefined(10_000, 0x00271010)))
_deep("undefined_100_000_deep", lambda: explicit_file(undefined(100_000, 0x00271010)))
_deep("undefined_33_deep", lambda: explicit_file(undefined(33, 0x00081110)))
_deep(
    "undefined_unknown_10_000_deep",
    lambda: explicit_file(undefined(1, PRIVATE, "UN", undefined_implicit(10_000, PRIVATE))),
)
_deep("defined_2_000_deep", lambda: explicit_file(defined(2_000, 0x00081110)))
_deep("undefined_implicit_10_000_deep", lambda: implicit_file(undefined_implicit(10_000, PRIVATE)))
_deep("defined_implicit_2_000_deep", lambda: implicit_file(defined_implicit(2_000, 0x00081110)))
_deep("after_the_pixels_10_000_deep", lambda: sound_slice(0) + undefined(10_000, 0xFFFD1010))
_deep("functional_groups_10_000_deep", lambda: with_element(to_bytes(enhanced()), undefined(10_000, 0x52009229)))
_deep(
    "items_in_items_10_000_deep",
    lambda: explicit_file(element(PRIVATE, "SQ", b"", length=0xFFFFFFFF) + (ITEM + UNDEFINED) * 10_000),
)


@GROUP.reads(ONE_SHAPE)
def thirty_deep(folder: Path) -> Path:
    return save(folder, explicit_file(undefined(30, 0x00081110)))


@GROUP.reads(ONE_SHAPE)
def thirty_deep_of_defined_length(folder: Path) -> Path:
    return save(folder, explicit_file(defined(30, 0x00081110)))


@GROUP.reads(SHAPE)
def enhanced_as_it_should_be(folder: Path) -> Path:
    return save(folder, to_bytes(enhanced()))


@GROUP.reads(ONE_SHAPE)
def defined_10_000_deep_where_nobody_looks(folder: Path) -> Path:
    """An unknown private element of defined length is skipped as a whole."""
    content = element(PRIVATE, "UN", defined(500, 0x00081110))
    return save(folder, explicit_file(content))


def _many(name: str, make: Callable[[], bytes]) -> None:
    words = r"bomb\.dcm: expected at most 50000 DICOM elements in one file, found more"
    GROUP.add(
        Case(name, lambda folder: save(folder, make()), refused=words, kind="LimitError", code="limit_elements")
    )


EMPTY_ITEM = ITEM + bytes(4)
_many("too_many_items", lambda: explicit_file(element(PRIVATE, "SQ", EMPTY_ITEM * 60_000)))
_many(
    "too_many_items_of_undefined_length",
    lambda: explicit_file(
        element(PRIVATE, "SQ", b"", length=0xFFFFFFFF)
        + (ITEM + UNDEFINED + ITEM_END + bytes(4)) * 60_000
        + SEQUENCE_END
        + bytes(4)
    ),
)
_many("too_many_elements", lambda: explicit_file(element(0x00271011, "LO", b"") * 60_000))
_many(
    "too_many_frames",
    lambda: with_element(to_bytes(enhanced()), element(0x52009230, "SQ", EMPTY_ITEM * 60_000)),
)
_many("too_many_meta_elements", lambda: _with_meta(element(0x00020102, "OB", b"") * 60_000))


def _with_meta(extra: bytes) -> bytes:
    raw = sound_slice(0)
    place = raw.index(b"\x08\x00", 132)
    return raw[:place] + extra + raw[place:]


@GROUP.refused(r"bomb\.dcm: .*damaged or cut short")
def sequence_without_its_end(folder: Path) -> Path:
    return save(folder, sound_slice(0)[:600] + element(PRIVATE, "SQ", b"", length=0xFFFFFFFF) + ITEM + UNDEFINED)


@GROUP.refused(r"bomb\.dcm: .*damaged or cut short")
def item_without_its_end_before_the_pixels(folder: Path) -> Path:
    return save(folder, explicit_file(element(PRIVATE, "SQ", b"", length=0xFFFFFFFF) + ITEM + UNDEFINED))


@GROUP.refused(r"bomb\.dcm: .*damaged or cut short")
def sequence_longer_than_the_file(folder: Path) -> Path:
    return save(folder, explicit_file(element(PRIVATE, "SQ", EMPTY_ITEM, length=0x7FFFFFF0)))


@GROUP.refused(r"bomb\.dcm: ")
def item_longer_than_its_sequence(folder: Path) -> Path:
    lie = ITEM + struct.pack("<I", 10**6)
    return save(folder, to_bytes(enhanced())[:1400] + element(0x52009230, "SQ", lie) + sound_slice(0)[132:])


@GROUP.reads(ONE_SHAPE)
def delimiters_that_belong_to_nothing(folder: Path) -> Path:
    stray = SEQUENCE_END + bytes(4)
    return save(folder, explicit_file(stray * 3))


@GROUP.refused(r"bomb\.dcm: ")
def item_ends_that_belong_to_nothing(folder: Path) -> Path:
    return save(folder, explicit_file((ITEM_END + bytes(4)) * 3))
