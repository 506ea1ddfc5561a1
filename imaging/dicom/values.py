"""Values of DICOM elements straight from their bytes.

pydicom parses the file; the values are converted here. So no element that nobody asks for is ever judged,
quoted in a warning (names and birth dates among them) or able to stop the reading, and pydicom's process-wide
validation switch stays as it is. A value that is no value of its kind is as good as none; what cannot do
without it says so.

Source: value representations, DICOM PS3.5 section 6.2; unknown ones (UN, implicit) are taken from the data
dictionary.
"""

import math
import struct
import zlib
from functools import lru_cache
from typing import Any, cast

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

Value = str | float

# What pydicom raises on damaged files. Memory that runs out is no damage: it is left to the limits.
BROKEN = (
    pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException, struct.error, zlib.error, OSError,
    EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, OverflowError,
)  # fmt: skip

_CHARACTER_SET = 0x00080005
_BACKSLASH = {0x5C}
# struct letter of each binary number; all other kinds are text.
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UT"})
# Kinds whose bytes the Specific Character Set rules (PS3.5 section 6.1.2.3).
_FREE_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_LONGEST = 4096
"""Bytes of a value that we convert; every element used here is far shorter. Ours."""


class Elements:
    """The elements of a data set, taken out once: looking up dozens of them in every file adds up."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._raw: dict[int, object] = dict(dataset.items())

    def get_item(self, tag: int) -> object:
        """Return an element as it was read, or None."""
        return self._raw.get(tag)

    def get(self, keyword: str) -> object:
        """Return the converted value of an element, or None."""
        return self._dataset.get(keyword)


def text(dataset: Dataset | Elements, keyword: str) -> str:
    """Return an element as text, its values joined by a backslash; empty when it is absent."""
    return "\\".join(str(value) for value in values(dataset, keyword)).strip()


def codes(dataset: Dataset | Elements, keyword: str) -> tuple[str, ...]:
    """Return the values of a multi-valued code element in upper case."""
    return tuple(str(value).upper() for value in values(dataset, keyword))


def number(dataset: Dataset | Elements, keyword: str) -> float | None:
    """Return an element as a finite number, None when it is absent or none."""
    found = numbers(dataset, keyword)
    return found[0] if found is not None and len(found) == 1 else None


def numbers(dataset: Dataset | Elements, keyword: str) -> tuple[float, ...] | None:
    """Return the finite numbers of an element, None when it is absent or holds anything else."""
    found = values(dataset, keyword)
    try:
        result = tuple(float(value) for value in found)
    except ValueError:
        return None
    return result if result and all(math.isfinite(value) for value in result) else None


def whole(dataset: Dataset | Elements, keyword: str) -> int | None:
    """Return an element as a whole number, None when it is absent or none."""
    found = number(dataset, keyword)
    return None if found is None or found != int(found) else int(found)


def items(dataset: Dataset | Elements, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none when it is absent or cannot be read."""
    try:
        value: object = dataset.get(keyword)
    except BROKEN:  # a sequence that cannot be parsed has no items; what cannot do without them says so
        return []
    return list(value) if isinstance(value, Sequence) else []


def values(dataset: Dataset | Elements, keyword: str) -> tuple[Value, ...]:
    """Return the values of an element, texts without padding; empty when it is absent or has none."""
    tag, kind = _entry(keyword)
    try:
        raw: object = dataset.get_item(tag)
    except BROKEN:  # an element whose reading fails has no value
        return ()
    if raw is None:
        return ()
    if not isinstance(raw, RawDataElement):
        return _plain(getattr(raw, "value", None))
    if not raw.value or len(raw.value) > _LONGEST:
        return ()
    stated = raw.VR if raw.VR in _BINARY or raw.VR in _TEXT else kind
    charset = _charset(dataset) if stated in _FREE_TEXT else ""
    return _converted(stated, bytes(raw.value), raw.is_little_endian, charset)


@lru_cache(maxsize=512)
def _entry(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag, dictionary_VR(tag).split(" ")[0]


def _charset(dataset: Dataset | Elements) -> str:
    raw: object = dataset.get_item(_CHARACTER_SET)
    value = raw.value if isinstance(raw, RawDataElement) else None
    return value.decode("ascii", "replace").strip(" \0") if value else ""


# Files of a series repeat most values: each distinct one is converted once.
@lru_cache(maxsize=16384)
def _converted(kind: str, raw: bytes, is_little: bool, charset: str) -> tuple[Value, ...]:
    if kind in _BINARY:
        letter = _BINARY[kind]
        size = struct.calcsize(letter)
        if len(raw) % size:
            return ()
        found = struct.unpack(f"{'<' if is_little else '>'}{len(raw) // size}{letter}", raw)
        return tuple(float(value) for value in found)
    is_free = kind in _FREE_TEXT
    decoded = decode_bytes(raw, _encodings(charset), _BACKSLASH) if is_free else raw.decode("latin-1")
    parts = tuple(part.strip(" \0\t\r\n") for part in decoded.split("\\"))
    return parts if any(parts) else ()


@lru_cache(maxsize=64)
def _encodings(charset: str) -> list[str]:
    return convert_encodings([part.strip() for part in charset.split("\\")])


def _plain(value: object) -> tuple[Value, ...]:
    """Return the values of an element that pydicom has converted already itself."""
    if value is None or value == "" or isinstance(value, bytes | Sequence):
        return ()
    listed = [value] if isinstance(value, str | int | float) else list(cast(Any, value))
    return tuple(float(item) if isinstance(item, int | float) else str(item).strip() for item in listed)
