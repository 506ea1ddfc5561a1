"""The DOCX of a report, read back with python-docx and as XML."""

import io
import zipfile
from datetime import datetime
from functools import cache
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn
from docx.shared import Mm

from reporting.export.docx import docx_files
from reporting.export.key_pictures import key_pictures
from reporting.export.package import Package
from tests.reporting.export.packages import PROTOCOLS, Phantoms, hostile, package_of, signed, without_source


@cache
def _content(package: Package) -> bytes:
    (file,) = docx_files(package)
    assert file.name == f"{package.stem}.docx"
    return file.content


def _document(package: Package) -> Any:
    return docx.Document(io.BytesIO(_content(package)))


def _text(document: Any) -> str:
    return "\n".join(item.text or "" for item in document.element.body.iter(qn("w:t")))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_is_in_it(phantoms: Phantoms, protocol: str) -> None:
    package = package_of(phantoms, protocol)
    document = _document(package)
    text = _text(document)
    for section in package.outgoing.report.sections:
        for sentence in section.sentences:
            assert sentence.text in text
    heads = [item.text for item in document.paragraphs if item.style.name == "Heading 1"]
    for title in ("Technique", "Findings", "Impression", "Key images", "Burden score", "Grades", "Provenance"):
        assert title in heads
    grades = next(
        table for table in document.tables if len(table.columns) == 8 and table.cell(0, 3).text == "Scale"
    )
    assert len(grades.rows) == 1 + len(package.outgoing.findings.grades)
    assert "w:tblHeader" in grades.rows[0]._tr.xml


def test_pictures_have_words(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "lumbar")
    document = _document(package)
    told = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    assert [item.alt for item in key_pictures(package)] == told[:-1]
    assert "overlay" in told[-1].lower() or "structures" in told[-1]


def test_head_and_foot_of_every_page(phantoms: Phantoms) -> None:
    package = without_source(package_of(phantoms, "sacroiliac"))
    (section,) = _document(package).sections
    assert section.header.paragraphs[0].text == package.outgoing.mark
    assert not section.different_first_page_header_footer
    foot = section.footer.paragraphs[0]
    assert package.outgoing.footer in foot.text
    assert 'w:instr="PAGE"' in foot._p.xml
    assert 'w:instr="NUMPAGES"' in foot._p.xml
    done = _document(signed(package))
    assert done.sections[0].header.paragraphs[0].text == ""
    assert "DRAFT" not in _text(done)


def test_the_properties_name_no_patient_and_no_day(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    content = _content(package)
    core = _document(package).core_properties
    assert core.author == core.last_modified_by == "SpineScribe"
    assert core.title == f"{package.outgoing.title} {package.outgoing.study_key}"
    assert core.subject == package.outgoing.mark
    assert core.comments == ""
    assert core.created.replace(tzinfo=None) == datetime(1980, 1, 1)
    assert package.source is not None
    patient = next(iter(package.source.instances.values()))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        whole = b"".join(archive.read(name) for name in archive.namelist() if name.endswith((".xml", ".rels")))
    assert str(patient.PatientID).encode() not in whole
    assert str(patient.PatientName).encode() not in whole
    assert content == docx_files(package)[0].content


def test_text_is_shown_and_what_xml_cannot_hold_is_replaced(phantoms: Phantoms) -> None:
    package = hostile(without_source(package_of(phantoms, "sacroiliac")))
    text = _text(_document(package))
    assert "<script>alert('x')</script> <b>&amp;</b> \ufffd\ufffd\ufffd[31m" in text
    assert "Грыжа, 19 µm" in text
    with zipfile.ZipFile(io.BytesIO(_content(package))) as archive:
        assert b"<script" not in archive.read("word/document.xml")
        assert not [name for name in archive.namelist() if "vba" in name.lower()]


def test_columns_hold_their_words_and_pictures_their_place(phantoms: Phantoms) -> None:
    """Word's own margins in a cell break ``right`` in two; a tall picture would fill the page."""
    package = package_of(phantoms, "lumbar")
    document = _document(package)
    grades = next(table for table in document.tables if table.cell(0, 1).text == "Side")
    margins = {
        item.tag.rpartition("}")[2]: int(item.get(qn("w:w")))
        for item in grades._tbl.tblPr.find(qn("w:tblCellMar"))
    }
    assert margins["left"] == margins["right"] == 57  # 1 mm
    order = [item.tag.rpartition("}")[2] for item in grades._tbl.tblPr]
    assert (
        order.index("tblBorders") < order.index("tblLayout") < order.index("tblCellMar") < order.index("tblLook")
    )
    for shape in document.inline_shapes:
        assert shape.width <= Mm(84) + 1
        assert shape.height <= Mm(84) + 1
        assert shape._inline.get("distL") == "0"
