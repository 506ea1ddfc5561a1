"""Small parts of a structured report: text that DICOM can hold, text items, references."""

from __future__ import annotations

import unicodedata

from highdicom.sr import RelationshipTypeValues, TextContentItem
from highdicom.sr.coding import CodedConcept

_NAME_LENGTH = 64
_KEPT = "\n\t"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str) -> str:
    """Return text without what UTF-8 text in DICOM may not hold: control characters, lone surrogates.

    Lines end as DICOM wants, with CR LF. What is not allowed becomes a blank or the replacement character; no word
    is dropped.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    signs = (_clean_sign(sign) for sign in plain)
    return "".join(signs).strip().replace("\n", "\r\n")


def person_name(name: str) -> str:
    """Return a name as one component of a DICOM person name (64 characters at most); nothing of it is guessed."""
    plain = "".join(" " if sign in "\\^=\r\n\t" else sign for sign in clean_text(name))
    return f"{' '.join(plain.split())[: _NAME_LENGTH - 1].strip()}^"


def text_item(
    name: CodedConcept, text: str, relationship: RelationshipTypeValues = RelationshipTypeValues.CONTAINS
) -> TextContentItem:
    """Return a text item. Its text must hold more than blanks."""
    return TextContentItem(name=name, value=clean_text(text), relationship_type=relationship)


def _clean_sign(sign: str) -> str:
    if sign in _KEPT:
        return sign
    category = unicodedata.category(sign)
    if category == "Cs":
        return _REPLACEMENT
    return " " if category == "Cc" else sign
