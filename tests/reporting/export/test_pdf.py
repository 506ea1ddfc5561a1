"""The PDF of a stored reading: key images, all grades and measurements, the mark on every page."""

import io
from dataclasses import replace
from functools import cache

import pytest
from pypdf import PdfReader

from reporting.export.content import RESEARCH_USE
from reporting.export.key_pictures import key_pictures
from reporting.export.package import Package
from reporting.export.pdf import pdf_files, to_pdf
from tests.reporting.export.packages import PROTOCOLS, Phantoms, hostile, package_of, signed, without_source


@cache
def _content(package: Package) -> bytes:
    (file,) = pdf_files(package)
    assert file.name == f"{package.stem}.pdf"
    return file.content


def _reader(package: Package) -> PdfReader:
    return PdfReader(io.BytesIO(_content(package)))


def _text(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_is_in_it(phantoms: Phantoms, protocol: str) -> None:
    package = package_of(phantoms, protocol)
    reader = _reader(package)
    text, outgoing = _text(reader), package.outgoing
    for section in outgoing.report.sections:
        for sentence in section.sentences:
            assert " ".join(sentence.text.split()) in text
    for picture in key_pictures(package):
        assert picture.where in text
    assert text.count("Remark") >= 1
    view = outgoing.view
    assert sum(text.count(f"{row.level} {row.side} {row.condition}") for row in view.grades[:3]) >= 3
    for title in ("Key images", "Grades", "Measurements", "How it was measured", "Provenance", "Burden score"):
        assert title in text
    assert sum(len(page.images) for page in reader.pages) == len(key_pictures(package)) + 1  # and the overlay


def test_the_mark_is_on_every_page_of_a_draft_and_of_no_signed_report(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "lumbar")
    pages = _reader(package).pages
    for number, page in enumerate(pages, start=1):
        text = page.extract_text()
        assert package.outgoing.mark is not None
        assert package.outgoing.mark in text
        assert text.count("DRAFT") >= 2
        assert f"Page {number} of {len(pages)}" in text
        assert RESEARCH_USE in text
    done = _text(_reader(signed(without_source(package_of(phantoms, "sacroiliac")))))
    assert "DRAFT" not in done
    assert "Signed by Dr A. Reader." in done


def test_measurements_stand_by_level(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "lumbar")
    text = _text(_reader(package))
    row = {
        item.level: f"{item.value:.1f}"
        for item in package.outgoing.findings.measurements
        if item.name == "canal_ap_diameter" and item.value is not None
    }
    assert f"canal AP diameter (mm) – {' '.join(row.values())}" in text
    assert "(a) not assessable: " in text


def test_without_the_study_the_overlay_stands_alone(phantoms: Phantoms) -> None:
    package = without_source(package_of(phantoms, "sacroiliac"))
    reader = _reader(package)
    assert "Key images" not in _text(reader)
    assert sum(len(page.images) for page in reader.pages) == 1
    bare = replace(package, outgoing=replace(package.outgoing, overlay_png=None))
    assert sum(len(page.images) for page in _reader(bare).pages) == 0


def test_text_is_shown_and_never_run(phantoms: Phantoms) -> None:
    reader = _reader(hostile(without_source(package_of(phantoms, "sacroiliac"))))
    assert "<script>alert('x')</script> <b>&amp;</b>" in _text(reader)
    assert "Грыжа, 19 µm" in _text(reader)
    assert all("/Annots" not in page for page in reader.pages)
    assert "/OpenAction" not in reader.trailer["/Root"]


def test_the_same_report_gives_the_same_bytes_and_names_nobody(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert to_pdf(package.outgoing, key_pictures(package)) == _content(package)
    assert package.source is not None
    patient = next(iter(package.source.instances.values()))
    text = f"{_text(_reader(package))} {dict(_reader(package).metadata or {})}"
    assert str(patient.PatientID) not in text
    assert str(patient.PatientName) not in text


def test_a_cell_longer_than_a_page_goes_on(phantoms: Phantoms) -> None:
    """Every word of it is there, and the rows after it too."""
    package = without_source(package_of(phantoms, "sacroiliac"))
    findings = package.outgoing.findings
    words = " ".join(f"word{number}" for number in range(900))
    grades = (replace(findings.grades[0], reason=words), *findings.grades[1:])
    text = _text(
        _reader(replace(package, outgoing=replace(package.outgoing, findings=replace(findings, grades=grades))))
    )
    assert all(f"word{number}" in text for number in range(900))
    assert "Sacroiliitis on MRI" in text
    assert "Notices of the machine's reading" in text


@pytest.mark.parametrize("name", ["Łukasz Şahin", "Иванова Мария", "Παπαδόπουλος", "山田太郎", "김민수"])
def test_a_name_can_be_read_in_its_script(phantoms: Phantoms, name: str) -> None:
    package = without_source(package_of(phantoms, "sacroiliac"))
    named = replace(package, outgoing=replace(package.outgoing, standing=f"Signed by {name}."))
    assert f"Signed by {name}." in _text(_reader(named))
