"""A report as PDF, by reportlab: selectable text in an embedded font, head and foot on every page.

The font is DejaVu Sans, which comes with matplotlib: it has Latin, Greek and Cyrillic. Nothing is fetched, and the
same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table  # type: ignore[import-untyped]

from reporting.export.content import RESEARCH_USE, Outgoing, provenance_lines
from reporting.export.package import ExportedFile, Package
from runtime.errors import ConfigError

_WIDTH, _HEIGHT = A4
_MARGIN = 18 * mm
_TEXT_WIDTH = _WIDTH - 2 * _MARGIN
_PICTURE_WIDTH = 90 * mm
_PICTURE_HEIGHT = 110 * mm
_RED = colors.HexColor("#aa1111")
_GREY = colors.HexColor("#555555")
_PALE = colors.Color(0.67, 0.07, 0.07, alpha=0.10)
_DECISION_HEAD = ("Finding", "The machine", "Decision", "By", "At (UTC)")
_PLAIN, _BOLD = "SpineScribeSans", "SpineScribeSans-Bold"


def to_pdf(outgoing: Outgoing) -> bytes:
    """Return a report as PDF (A4)."""
    _fonts()
    stream = BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=24 * mm,
        bottomMargin=20 * mm,
        title=f"{outgoing.title} {outgoing.study_key}",
        author="SpineScribe",
        invariant=1,
    )
    document.build(_story(outgoing), canvasmaker=lambda *args, **kwargs: _Pages(outgoing, *args, **kwargs))
    return stream.getvalue()


def pdf_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as a PDF file."""
    return (ExportedFile(f"{package.stem}.pdf", "application/pdf", to_pdf(package.outgoing)),)


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
            self._mark(self._outgoing.mark)
        self.setFillColor(_GREY)
        self.setFont(_PLAIN, 7.5)
        self.drawString(_MARGIN, 12 * mm, self._outgoing.footer)
        self.drawRightString(_WIDTH - _MARGIN, 12 * mm, f"Page {number} of {count}")

    def _mark(self, mark: str) -> None:
        self.saveState()
        self.setFillColor(_PALE)
        self.translate(_WIDTH / 2, _HEIGHT / 2)
        self.rotate(55)
        self.setFont(_BOLD, 130)
        self.drawCentredString(0, -40, "DRAFT")
        self.restoreState()
        self.setFillColor(_RED)
        self.setFont(_BOLD, 10)
        self.drawCentredString(_WIDTH / 2, _HEIGHT - 14 * mm, mark)


def _story(outgoing: Outgoing) -> list[Any]:
    view = outgoing.view
    story = [_paragraph(outgoing.title, "title"), _paragraph(RESEARCH_USE, "notice")]
    if outgoing.alert:
        story.append(_paragraph(outgoing.alert, "notice"))
    story += [
        _paragraph(
            f"Study key {outgoing.study_key}, version {outgoing.version}, {outgoing.status.value}.", "text"
        ),
        _paragraph(outgoing.standing, "strong"),
    ]
    for section in view.sections:
        story.append(_paragraph(section.name.capitalize(), "heading"))
        for group in section.paragraphs:
            story.append(_paragraph(" ".join(sentence.text for sentence in group), "text"))
    story += _picture(outgoing.overlay_png)
    story.append(_paragraph("Burden score", "heading"))
    story.append(_paragraph(view.burden.text, "text"))
    if view.changes:
        rows = [(row.level, row.side, row.what, row.before, row.now, row.change) for row in view.changes]
        head = ("Level", "Side", "What", "Earlier", "Now", "Change")
        story += _table("Change since the earlier reading", head, rows, (2, 1.5, 4, 3, 3, 3))
    if outgoing.decisions:
        lines = [(item.what, item.machine, item.verdict, item.by, item.at) for item in outgoing.decisions]
        story += _table("Decisions of the readers", _DECISION_HEAD, lines, (4, 4, 3, 2.5, 2.5))
    grades = [
        (row.level, row.side, row.condition, row.grade, row.probability, row.remark)
        for row in view.grades
        if row.kind != "normal"
    ]
    head = ("Level", "Side", "Condition", "Grade", "Prob.", "Remark")
    story += _table("Grades that are abnormal or not assessable", head, grades, (1.7, 1.3, 4, 3.3, 1.3, 5))
    story += _table("Provenance", ("What", "Value"), provenance_lines(outgoing), (5, 11))
    if outgoing.notices:
        story.append(_paragraph("Notices of the machine's reading", "heading"))
        story += [_paragraph(text, "small") for text in outgoing.notices]
    return story


def _picture(png: bytes | None) -> list[Any]:
    if png is None:
        return []
    width, height = ImageReader(BytesIO(png)).getSize()
    scale = min(_PICTURE_WIDTH / width, _PICTURE_HEIGHT / height)
    return [Spacer(0, 3 * mm), Image(BytesIO(png), width * scale, height * scale)]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> list[Any]:
    cells = [[_paragraph(cell, "head") for cell in head]]
    cells += [[_paragraph(cell, "small") for cell in row] for row in rows]
    total = sum(widths)
    table = Table(cells, colWidths=[_TEXT_WIDTH * width / total for width in widths], repeatRows=1, hAlign="LEFT")
    table.setStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.3, colors.HexColor("#cccccc")),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f2f2f2")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return [_paragraph(title, "heading"), table]


def _paragraph(text: str, style: str) -> Any:
    return Paragraph(escape(text), _styles()[style])


@cache
def _styles() -> dict[str, Any]:
    plain = ParagraphStyle("text", fontName=_PLAIN, fontSize=9.5, leading=13, spaceAfter=2)
    small = ParagraphStyle("small", plain, fontSize=7.5, leading=9.5)
    return {
        "text": plain,
        "small": small,
        "head": ParagraphStyle("head", small, fontName=_BOLD),
        "strong": ParagraphStyle("strong", plain, fontName=_BOLD),
        "title": ParagraphStyle("title", plain, fontName=_BOLD, fontSize=14, leading=18),
        "heading": ParagraphStyle(
            "heading", plain, fontName=_BOLD, fontSize=11, leading=14, spaceBefore=8, keepWithNext=1
        ),
        "notice": ParagraphStyle(
            "notice", plain, fontName=_BOLD, textColor=_RED, borderColor=_RED, borderWidth=0.8, borderPadding=3,
            spaceBefore=4, spaceAfter=7,
        ),
    }  # fmt: skip


@cache
def _fonts() -> None:
    """Register the font.

    Raises:
        ConfigError: If matplotlib, which brings it, is not installed.
    """
    home = find_spec("matplotlib")
    if home is None or home.origin is None:
        raise ConfigError("the PDF export takes its font from matplotlib, which is not installed")
    folder = Path(home.origin).parent / "mpl-data" / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(_PLAIN, str(folder / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont(_BOLD, str(folder / "DejaVuSans-Bold.ttf")))
