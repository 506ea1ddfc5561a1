"""What a printed report is made of: headings, paragraphs, pictures, tables. PDF and DOCX know how to set these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from PIL import Image

_WIDEST_MM, _TALLEST_MM = 84.0, 84.0
"""A picture at most: two side by side and two rows with their captions fill a page of A4."""


class Tone(StrEnum):
    """How a paragraph stands out."""

    TITLE = "title"
    NOTICE = "notice"
    STRONG = "strong"
    PLAIN = "text"
    SMALL = "small"


@dataclass(frozen=True)
class Heading:
    """Begins a part; stays with what follows it."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Picture:
    """A picture with its caption.

    Attributes:
        png: PNG.
        alt: What it shows, for those who do not see it.
        caption: Lines below it; the first says where it lies.
    """

    png: bytes
    alt: str
    caption: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side, two at most."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Table:
    """A table whose head is repeated on every page.

    Attributes:
        head: Its head.
        rows: Cells.
        widths: Relative widths of the columns.
        strong: Numbers of the rows that stand out (from 0).
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    strong: frozenset[int] = frozenset()


def printed_size_mm(picture: Picture) -> tuple[float, float]:
    """Return the width and height of a picture on paper."""
    with Image.open(BytesIO(picture.png)) as opened:
        width, height = opened.size
    scale = min(_WIDEST_MM / width, _TALLEST_MM / height)
    return width * scale, height * scale


Block = Heading | Text | PictureRow | Table
