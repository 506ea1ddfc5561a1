"""The check after cleaning: the written bytes are read again and searched for what identified the original.

It shares no rule with the cleaning but the controlled words (which cannot identify), so that a hole in the rules
is found here, and the file is then not written.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.dicom.deidentify.codes import known_code
from imaging.dicom.deidentify.profile import is_identity, policy
from imaging.dicom.deidentify.text import controlled_form
from imaging.dicom.deidentify.types import IdentityLeftError
from imaging.dicom.values import BROKEN, text

_TEXT = frozenset({"AE", "AS", "CS", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT", "DA"})
_DATES = frozenset({"DA", "DT"})
_TOKEN = re.compile(r"[^\W_]+")
_DAY = re.compile(r"\d{8}")
_DEVICE = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SequenceName", "ReceiveCoilName")
_IMPLEMENTATION = 0x00020012  # names a program, perhaps ours
_PREAMBLE = b"\0" * 128 + b"DICM"

MIN_WORD, MIN_DIGITS = 3, 5
"""Characters of a word, digits of a number, that are looked for in text. Own choice."""

MIN_IN_BYTES, MIN_DIGITS_IN_BYTES = 6, 8
"""The same for the search through all bytes, pixels included, where shorter ones occur by chance: one given string
of 6 letters, case ignored, about once in 4e12 random bytes. Own choice."""


@dataclass(frozen=True)
class Identity:
    """What identified an original.

    Attributes:
        tokens: Words and numbers of names, numbers and places, case folded.
        values: Whole values of the same, case folded.
        uids: UIDs of its own.
        days: Its dates, as ``YYYYMMDD``.
    """

    tokens: frozenset[str]
    values: frozenset[str]
    uids: frozenset[str]
    days: frozenset[str]


def identity_of(dataset: Dataset) -> Identity:
    """Collect what identifies an instance, at every depth and in the file meta information."""
    texts: list[str] = []
    uids: set[str] = set()
    days: set[str] = set()
    for element in _elements(dataset):
        values = _texts(element)
        if element.tag == _IMPLEMENTATION:
            continue
        if element.VR == "UI":
            uids.update(value for value in values if value and not value.startswith("1.2.840.10008."))
        elif element.VR in _DATES:
            days.update(value[:8] for value in values if _DAY.match(value))
        elif element.VR in _TEXT and is_identity(int(element.tag), element.VR):
            texts += values
    harmless = _harmless() | {token for name in _DEVICE for token in _device_tokens(dataset, name)}
    tokens = {token for value in texts for token in _tokens(value) if _is_telling(token)} - harmless
    whole = {value.casefold() for value in texts if not set(_tokens(value)) <= harmless}
    return Identity(frozenset(tokens), frozenset(whole), frozenset(uids), frozenset(days))


def check_bytes(content: bytes, identity: Identity) -> None:
    """Search a written file for an original's identity.

    Args:
        content: The file as it will be written.
        identity: Of the original.

    Raises:
        IdentityLeftError: If anything is left; names the tag, never the value.
    """
    if content[:132] != _PREAMBLE:
        raise IdentityLeftError("the preamble of the cleaned file is not empty")
    dataset = pydicom.dcmread(io.BytesIO(content))
    for element in _elements(dataset):
        why = _left(element, identity)
        if why is not None:
            raise IdentityLeftError(f"tag {element.tag}: {why} is left after cleaning; the file was not written")
    lower = content.lower()
    for value in identity.values | identity.tokens | identity.uids:
        if _is_searched(value) and value.encode("utf-8", "surrogateescape").lower() in lower:
            raise IdentityLeftError(
                "a name, number or UID of the original is left in the bytes outside any text element; the file "
                "was not written"
            )


def _left(element: DataElement, identity: Identity) -> str | None:
    """Return what of the original an element still holds, or None."""
    group = int(element.tag) >> 16
    if group % 2:
        return "a private element"
    if group & 0xFF00 in (0x5000, 0x6000):
        return "a curve or overlay"
    values = _texts(element)
    if element.VR == "UI":
        return "an original UID" if identity.uids & set(values) else None
    if element.VR not in _TEXT:
        return None
    folded = [value.casefold() for value in values]
    if identity.values & {value for value in folded if len(value) > 1 and not _is_plain_number(element, value)}:
        return "an identifying value"
    if element.VR in ("DS", "IS") or element.VR in _DATES or element.VR == "TM":
        return None
    if identity.tokens & {token for value in folded for token in _tokens(value)}:
        return "an identifying word"
    return "an original date" if any(day in value for day in identity.days for value in folded) else None


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    """Yield all readable elements at every depth, those of the file meta too; known codes are passed over."""
    meta = getattr(dataset, "file_meta", None)
    stack: list[Dataset] = [dataset] if meta is None else [dataset, meta]
    while stack:
        current = stack.pop()
        if _is_public_code(current):
            continue
        for tag in list(current.keys()):
            try:
                element = current[tag]
            except BROKEN:  # what cannot be read cannot be searched here; the bytes are searched as a whole
                continue
            if isinstance(element.value, Sequence):
                stack.extend(element.value)
            else:
                yield element


def _is_public_code(item: Dataset) -> bool:
    """Say whether an item is a code with the public vocabulary's own meaning."""
    known = known_code(item) if "CodeValue" in item else None
    return known is not None and text(item, "CodeMeaning") == known.CodeMeaning


def _texts(element: DataElement) -> list[str]:
    if element.value is None or isinstance(element.value, bytes):
        return []
    listed = [element.value] if element.VM <= 1 else list(element.value)
    return [str(item).strip(" \0") for item in listed]


def _tokens(value: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(value)]


def _is_telling(token: str) -> bool:
    return len(token) >= (MIN_DIGITS if token.isdigit() else MIN_WORD)


def _is_searched(value: str) -> bool:
    has_letter = any(letter.isalpha() for letter in value)
    return len(value) >= (MIN_IN_BYTES if has_letter else MIN_DIGITS_IN_BYTES)


def _is_plain_number(element: DataElement, value: str) -> bool:
    """Say whether a value is a number that measures and counts also have; a patient number may be ``12``."""
    return element.VR in ("DS", "IS", "TM", "DA", "DT", "CS") and len(value) < MIN_IN_BYTES


def _harmless() -> set[str]:
    rules = policy()
    stand_ins = {*rules.must_have.values(), *rules.must_have_enhanced.values(), "removed", "spine", "spinescribe"}
    words = {*rules.words, *rules.stems.values(), *rules.codes, *stand_ins}
    return {token for word in words for token in _tokens(word)}


def _device_tokens(dataset: Dataset, keyword: str) -> list[str]:
    """Return the words of a device name that is public: a station may be named after its scanner's model."""
    value = text(dataset, keyword)
    parts = [part for part in value.split("\\") if controlled_form(keyword, part) is not None]
    return [token for part in parts for token in _tokens(part)]
