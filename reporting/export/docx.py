"""A report as DOCX, by python-docx: the blocks of the printed report as Word's own headings, tables and pictures.

Head and foot are fields of the section, so that every page carries the mark of a draft and its number. The same
report gives the same bytes: the dates of the properties and of the archive are fixed.
"""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from reporting.export.blocks import Block, Heading, Picture, PictureRow, Table, Text, Tone, printed_size_mm
from reporting.export.content import Outgoing
from reporting.export.key_pictures import key_pictures
from reporting.export.package import ExportedFile, Package
from reporting.export.sheet import report_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docx.document import Document
    from docx.table import Table as Grid
    from docx.table import _Cell
    from docx.text.paragraph import Paragraph

    from reporting.export.key_pictures import KeyPicture

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_EPOCH = datetime(1980, 1, 1)
"""The earliest date that a zip archive can hold."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets)."""

_PAGE_MM, _MARGIN_MM = (210, 297), 18
_TEXT_MM = _PAGE_MM[0] - 2 * _MARGIN_MM
_CELL_MARGIN_MM = {"top": 0.4, "left": 1.0, "bottom": 0.4, "right": 1.0}
_RED, _GREY, _BLACK, _LINE = "AA1111", "555555", "000000", "BBBBBB"
_HEAD_FILL, _STRONG_FILL = "F2F2F2", "FFF4E5"
_FONT = "Arial"
_TITLE_PT, _HEADING_PT, _TEXT_PT, _SMALL_PT, _CELL_PT = 16, 12, 10, 8, 7.5
_TWIPS_PER_MM = 1440 / 25.4
_AFTER_MARGINS = ("w:tblLook", "w:tblCaption", "w:tblDescription")
_AFTER_LINES = ("w:shd", "w:tblLayout", "w:tblCellMar", *_AFTER_MARGINS)
"""What stands after a property of a table. Source: ECMA-376 part 1, CT_TblPr."""


def to_docx(outgoing: Outgoing, pictures: Sequence[KeyPicture] = ()) -> bytes:
    """Return a report as DOCX (A4).

    Args:
        outgoing: The report as it stands.
        pictures: Its key pictures; none where the study is not at hand.
    """
    import docx

    document = docx.Document()
    _page(document)
    _styles(document)
    _properties(document, outgoing)
    _head_and_foot(document, outgoing)
    for block in report_blocks(outgoing, pictures):
        _set(document, block)
    stream = BytesIO()
    document.save(stream)
    return _with_fixed_dates(stream.getvalue())


def docx_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as a DOCX file."""
    content = to_docx(package.outgoing, key_pictures(package))
    return (ExportedFile(f"{package.stem}.docx", MEDIA_TYPE, content),)


def _page(document: Document) -> None:
    from docx.shared import Mm

    section = document.sections[0]
    section.page_width, section.page_height = Mm(_PAGE_MM[0]), Mm(_PAGE_MM[1])
    section.left_margin = section.right_margin = Mm(_MARGIN_MM)
    section.top_margin, section.bottom_margin = Mm(24), Mm(20)


def _styles(document: Document) -> None:
    """Give the styles of the template the looks of a report: one font, black headings close to their text."""
    _style(document, "Normal", _TEXT_PT, after_pt=3)
    for name, size_pt in (("Title", _TITLE_PT), ("Heading 1", _HEADING_PT)):
        _style(document, name, size_pt, before_pt=_TEXT_PT, after_pt=3, is_bold=True)
    title: Any = document.styles["Title"]
    for line in title.element.xpath("./w:pPr/w:pBdr"):
        line.getparent().remove(line)


def _style(
    document: Document,
    name: str,
    size_pt: float,
    *,
    before_pt: float = 0,
    after_pt: float = 0,
    is_bold: bool = False,
) -> None:
    from docx.shared import Pt, RGBColor

    style: Any = document.styles[name]
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.attrib.clear()  # a theme's fonts go before a font that is named
    style.font.name, style.font.size, style.font.bold = _FONT, Pt(size_pt), is_bold
    style.font.color.rgb = RGBColor.from_string(_BLACK)
    style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(before_pt), Pt(after_pt)


def _properties(document: Document, outgoing: Outgoing) -> None:
    """Write who made the file and what it is; nothing of the patient."""
    core = document.core_properties
    core.author = core.last_modified_by = "SpineScribe"
    core.title = f"{outgoing.title} {outgoing.study_key}"
    core.subject = core.content_status = outgoing.mark or outgoing.status.value
    core.comments, core.keywords, core.language = "", "", "en"
    core.revision = outgoing.version
    core.created = core.modified = _EPOCH


def _head_and_foot(document: Document, outgoing: Outgoing) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt, RGBColor

    section = document.sections[0]
    head, foot = section.header.paragraphs[0], section.footer.paragraphs[0]
    head.alignment = WD_ALIGN_PARAGRAPH.CENTER
    if outgoing.mark:
        _run(head, outgoing.mark, size_pt=11, colour=_RED, is_bold=True)
    style: Any = document.styles["Footer"]
    style.font.size, style.font.color.rgb = Pt(_SMALL_PT), RGBColor.from_string(_GREY)
    _run(foot, f"{outgoing.footer} Page ")
    _field(foot, "PAGE")
    _run(foot, " of ")
    _field(foot, "NUMPAGES")


def _set(document: Document, block: Block) -> None:
    match block:
        case Heading(text):
            document.add_heading(_plain(text), level=1)
        case Text(text, tone):
            _text(document, text, tone)
        case PictureRow(pictures):
            _pictures(document, pictures)
        case Table():
            _table(document, block)


def _text(document: Document, text: str, tone: Tone) -> None:
    if tone is Tone.TITLE:
        document.add_heading(_plain(text), level=0)
        return
    from docx.shared import Pt

    paragraph = document.add_paragraph()
    is_notice = tone is Tone.NOTICE
    if tone is Tone.SMALL:
        paragraph.paragraph_format.space_before = Pt(3)  # it may stand under a table
    _run(
        paragraph,
        text,
        size_pt=_SMALL_PT if tone is Tone.SMALL else None,
        colour=_RED if is_notice else None,
        is_bold=is_notice or tone is Tone.STRONG,
    )


def _pictures(document: Document, pictures: Sequence[Picture]) -> None:
    """Set pictures side by side in a table without borders, each with its caption below."""
    from docx.shared import Mm

    grid = document.add_table(rows=1, cols=2)
    grid.autofit = False
    _cell_margins(grid, dict.fromkeys(_CELL_MARGIN_MM, 0.0))
    _keep_together(grid.rows[0])
    for column in grid.columns:
        column.width = Mm(_TEXT_MM / 2)
    for cell, picture in zip(grid.rows[0].cells, pictures, strict=False):
        _picture(cell, picture)


def _picture(cell: _Cell, picture: Picture) -> None:
    from docx.shared import Mm, Pt

    width_mm, height_mm = printed_size_mm(picture)
    run = cell.paragraphs[0].add_run()
    shape = run.add_picture(BytesIO(picture.png), width=Mm(width_mm), height=Mm(height_mm))
    inline: Any = shape._inline
    inline.docPr.set("descr", _plain(picture.alt))
    inline.attrib.update(dict.fromkeys(("distT", "distB", "distL", "distR"), "0"))  # LibreOffice adds 3 mm else
    for line in picture.caption:
        paragraph = cell.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(1)
        _run(paragraph, line, size_pt=_SMALL_PT)


def _table(document: Document, block: Table) -> None:
    from docx.shared import Mm, Pt

    grid = document.add_table(rows=1 + len(block.rows), cols=len(block.head))
    grid.style, grid.autofit = "Table Grid", False
    _lines(grid)
    _cell_margins(grid, _CELL_MARGIN_MM)
    total = sum(block.widths)
    for column, width in zip(grid.columns, block.widths, strict=True):
        column.width = Mm(_TEXT_MM * width / total)
    for number, (row, cells) in enumerate(zip(grid.rows, (block.head, *block.rows), strict=True)):
        _keep_together(row)
        fill = _HEAD_FILL if number == 0 else _STRONG_FILL if number - 1 in block.strong else None
        for cell, text, width in zip(row.cells, cells, block.widths, strict=True):
            cell.width = Mm(_TEXT_MM * width / total)
            cell.paragraphs[0].paragraph_format.space_after = Pt(0)
            _run(cell.paragraphs[0], text, size_pt=_CELL_PT, is_bold=number == 0)
            if fill is not None:
                _shade(cell, fill)
    _repeat_head(grid.rows[0])


def _run(
    paragraph: Paragraph,
    text: str,
    *,
    size_pt: float | None = None,
    colour: str | None = None,
    is_bold: bool = False,
) -> None:
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(_plain(text))
    run.bold = is_bold
    if size_pt is not None:
        run.font.size = Pt(size_pt)
    if colour is not None:
        run.font.color.rgb = RGBColor.from_string(colour)


def _field(paragraph: Paragraph, code: str) -> None:
    """Add a field that Word fills in, such as ``PAGE``."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    field: Any = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), code)
    run, text = OxmlElement("w:r"), OxmlElement("w:t")
    text.text = "1"
    run.append(text)
    field.append(run)
    paragraph._p.append(field)


def _lines(grid: Grid) -> None:
    """Draw the lines of a table in grey."""
    sides = ("top", "left", "bottom", "right", "insideH", "insideV")
    values = {"w:val": "single", "w:sz": "4", "w:space": "0", "w:color": _LINE}
    _table_property(grid, "w:tblBorders", dict.fromkeys(sides, values), _AFTER_LINES)


def _cell_margins(grid: Grid, margins_mm: Mapping[str, float]) -> None:
    """Set how far text stays from the lines of a table; Word's own 1.9 mm break words in narrow columns."""
    sides = {side: {"w:w": str(round(wide * _TWIPS_PER_MM)), "w:type": "dxa"} for side, wide in margins_mm.items()}
    _table_property(grid, "w:tblCellMar", sides, _AFTER_MARGINS)


def _table_property(grid: Grid, name: str, sides: Mapping[str, dict[str, str]], after: tuple[str, ...]) -> None:
    """Add a property of a table that has a value a side, before those that the schema wants after it."""
    from docx.oxml import OxmlElement

    element: Any = OxmlElement(name)
    for side, values in sides.items():
        _property(element, f"w:{side}", values)
    properties: Any = grid._tbl.tblPr
    properties.insert_element_before(element, *after)


def _shade(cell: _Cell, fill: str) -> None:
    _property(cell._tc.get_or_add_tcPr(), "w:shd", {"w:val": "clear", "w:color": "auto", "w:fill": fill})


def _repeat_head(row: Any) -> None:
    _property(row._tr.get_or_add_trPr(), "w:tblHeader", {"w:val": "true"})


def _keep_together(row: Any) -> None:
    _property(row._tr.get_or_add_trPr(), "w:cantSplit", {"w:val": "true"})


def _property(parent: Any, name: str, values: dict[str, str]) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element: Any = OxmlElement(name)
    for key, value in values.items():
        element.set(qn(key), value)
    parent.append(element)


def _plain(text: str) -> str:
    """Return text with a replacement sign for what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def _with_fixed_dates(content: bytes) -> bytes:
    """Return an archive whose members bear one date, so that the same report gives the same bytes."""
    stream = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as made, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as fixed:
        for member in made.infolist():
            info = zipfile.ZipInfo(member.filename, _EPOCH.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            fixed.writestr(info, made.read(member.filename))
    return stream.getvalue()
