"""A report as PDF, by reportlab: selectable text in an embedded font, head and foot on every page.

The font is DejaVu Sans, which comes with matplotlib: it has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and
Arabic (``scripts``). Nothing is fetched, and the same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

from PIL import Image as Pixels
from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import CondPageBreak, Image, Paragraph, SimpleDocTemplate, Spacer  # type: ignore[import-untyped]
from reportlab.platypus import Table as Grid

from reporting.export.blocks import Block, Heading, Picture, PictureRow, Table, Text, printed_size_mm
from reporting.export.content import Outgoing
from reporting.export.key_pictures import KeyPicture, key_pictures
from reporting.export.package import ExportedFile, Package
from reporting.export.scripts import EAST_ASIAN_FONTS, marked_up
from reporting.export.sheet import report_blocks
from runtime.errors import ConfigError

_WIDTH, _HEIGHT = A4
_MARGIN = 18 * mm
_TEXT_WIDTH = _WIDTH - 2 * _MARGIN
_FRAME_PADDING = 6  # points that reportlab keeps free within its margins
_RED = colors.HexColor("#aa1111")
_GREY = colors.HexColor("#555555")
_HEADING_ROOM = 32 * mm
_JPEG_QUALITY = 85
_LONGEST_CELL = 600  # characters, 30 rows of the narrowest column that holds text
_SHADE = colors.HexColor("#fff4e5")
_PALE = colors.Color(0.67, 0.07, 0.07, alpha=0.10)
_PLAIN, _BOLD = "SpineScribeSans", "SpineScribeSans-Bold"


def to_pdf(outgoing: Outgoing, pictures: Sequence[KeyPicture] = ()) -> bytes:
    """Return a report as PDF (A4).

    Args:
        outgoing: The report as it stands.
        pictures: Its key pictures; none where the study is not at hand.
    """
    _fonts()
    stream = BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=_MARGIN - _FRAME_PADDING,
        rightMargin=_MARGIN - _FRAME_PADDING,
        topMargin=24 * mm,
        bottomMargin=20 * mm,
        title=f"{outgoing.title} {outgoing.study_key}",
        author="SpineScribe",
        subject=outgoing.mark or outgoing.status.value,
        lang="en",
        invariant=1,
    )
    document.build(
        _story(report_blocks(outgoing, pictures)),
        onFirstPage=lambda page, _: page.draw_water_mark(),
        onLaterPages=lambda page, _: page.draw_water_mark(),
        canvasmaker=lambda *args, **kwargs: _Pages(outgoing, *args, **kwargs),
    )
    return stream.getvalue()


def pdf_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as a PDF file."""
    content = to_pdf(package.outgoing, key_pictures(package))
    return (ExportedFile(f"{package.stem}.pdf", "application/pdf", content),)


class _Pages(Canvas):  # type: ignore[misc]
    """Draws head and foot on every page, once the number of pages is known."""

    def __init__(self, outgoing: Outgoing, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outgoing = outgoing
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the library's name
        """Keep a page until all are there."""
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Finish all pages."""
        for number, state in enumerate(self._kept, start=1):
            self.__dict__.update(state)
            self._frame(number, len(self._kept))
            super().showPage()
        super().save()

    def _frame(self, number: int, count: int) -> None:
        if self._outgoing.mark:
            self.setFillColor(_RED)
            self.setFont(_BOLD, 10)
            self.drawCentredString(_WIDTH / 2, _HEIGHT - 14 * mm, self._outgoing.mark)
        self.setFillColor(_GREY)
        self.setFont(_PLAIN, 7.5)
        self.drawString(_MARGIN, 12 * mm, self._outgoing.footer)
        self.drawRightString(_WIDTH - _MARGIN, 12 * mm, f"Page {number} of {count}")

    def draw_water_mark(self) -> None:
        """Draw the mark of a draft across an empty page: what comes after, pictures too, lies above it."""
        if self._outgoing.mark is None:
            return
        self.saveState()
        self.setFillColor(_PALE)
        self.translate(_WIDTH / 2, _HEIGHT / 2)
        self.rotate(55)
        self.setFont(_BOLD, 130)
        self.drawCentredString(0, -40, "DRAFT")
        self.restoreState()


def _story(blocks: Sequence[Block]) -> list[Any]:
    """Return blocks as reportlab's flowables; a heading stands on the page on which its part begins."""
    story: list[Any] = []
    for number, block in enumerate(blocks):
        made = _set(block)
        if _leads_to_pictures(blocks[number : number + 3]):
            made[-1].keepWithNext = True
        story += made
    return story


def _leads_to_pictures(blocks: Sequence[Block]) -> bool:
    """Tell whether the first of some blocks is a heading over pictures, or what is said between the two."""
    match blocks:
        case [Heading() | Text(), PictureRow(), *_] | [Heading(), Text(), PictureRow(), *_]:
            return True
    return False


def _set(block: Block) -> list[Any]:
    match block:
        case Heading(text):
            return [CondPageBreak(_HEADING_ROOM), _paragraph(text, "heading")]
        case Text(text, tone):
            return [_paragraph(text, tone.value)]
        case PictureRow(pictures):
            return [_pictures(pictures)]
        case Table():
            return [_table(block)]


def _pictures(pictures: Sequence[Picture]) -> Any:
    """Return pictures side by side with their captions below, which no page break parts."""
    cells = [
        [_picture(item), Spacer(0, 1 * mm), *(_paragraph(line, "small") for line in item.caption)]
        for item in pictures
    ]
    cells += [[]] * (2 - len(cells))
    table = Grid([cells], colWidths=[_TEXT_WIDTH / 2] * 2, hAlign="LEFT")
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
        ]
    )
    return table


def _picture(picture: Picture) -> Any:
    width_mm, height_mm = printed_size_mm(picture)
    return Image(BytesIO(_jpeg(picture.png)), width_mm * mm, height_mm * mm, hAlign="LEFT")


def _jpeg(png: bytes) -> bytes:
    """Return a picture as a JPEG for paper, a third of the size; the key images in DICOM are lossless."""
    stream = BytesIO()
    with Pixels.open(BytesIO(png)) as picture:
        picture.convert("RGB").save(stream, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def _table(block: Table) -> Any:
    parts = [(number, part) for number, row in enumerate(block.rows) for part in _parts(row)]
    cells = [[_paragraph(cell, "head") for cell in block.head]]
    cells += [[_paragraph(cell, "small") for cell in part] for _, part in parts]
    strong = [row for row, (number, _) in enumerate(parts, start=1) if number in block.strong]
    total = sum(block.widths)
    widths = [_TEXT_WIDTH * width / total for width in block.widths]
    table = Grid(cells, colWidths=widths, repeatRows=1, hAlign="LEFT")
    table.setStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.3, colors.HexColor("#cccccc")),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f2f2f2")),
            *(("BACKGROUND", (0, row), (-1, row), _SHADE) for row in strong),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return table


def _parts(row: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a row as several if a cell of it might be longer than a page, on which no table can go on."""
    return list(zip_longest(*(wrap(cell, _LONGEST_CELL) or [""] for cell in row), fillvalue=""))


def _paragraph(text: str, style: str) -> Any:
    return Paragraph(marked_up(text), _styles()[style])


@cache
def _styles() -> dict[str, Any]:
    plain = ParagraphStyle("text", fontName=_PLAIN, fontSize=9.5, leading=13, spaceAfter=2)
    small = ParagraphStyle("small", plain, fontSize=7, leading=8.8)
    return {
        "text": plain,
        "small": small,
        "head": ParagraphStyle("head", small, fontName=_BOLD),
        "strong": ParagraphStyle("strong", plain, fontName=_BOLD),
        "title": ParagraphStyle("title", plain, fontName=_BOLD, fontSize=14, leading=18),
        "heading": ParagraphStyle("heading", plain, fontName=_BOLD, fontSize=11, leading=14, spaceBefore=8),
        "notice": ParagraphStyle(
            "notice", plain, fontName=_BOLD, textColor=_RED, borderColor=_RED, borderWidth=0.8, borderPadding=3,
            leftIndent=3, rightIndent=3, spaceBefore=4, spaceAfter=9,
        ),
    }  # fmt: skip


@cache
def _fonts() -> None:
    """Register the font, and those that programs for PDF bring for East Asian signs.

    Raises:
        ConfigError: If matplotlib, which brings it, is not installed.
    """
    home = find_spec("matplotlib")
    if home is None or home.origin is None:
        raise ConfigError("the PDF export takes its font from matplotlib, which is not installed")
    folder = Path(home.origin).parent / "mpl-data" / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(_PLAIN, str(folder / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont(_BOLD, str(folder / "DejaVuSans-Bold.ttf")))
    for name in EAST_ASIAN_FONTS:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
