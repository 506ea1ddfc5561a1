"""What leaves: drafts marked on every page, signed reports with the name, text that is shown and never run."""

import io
import json
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from reporting.export.content import RESEARCH_USE
from reporting.export.pdf import to_pdf
from reporting.export.text import to_html, to_markdown
from service.accounts.actor import Actor
from service.errors import NotFoundError
from service.export import Format, build_outgoing, export_report
from service.review import decisions, editing, signing
from service.review.case import Case
from service.review.change import open_case
from service.review.editing import GivenSection, GivenSentence
from service.services import Services
from service.store.tables import AuditEntry, ReadingFile, StudyReport
from service.store.words import ReportStatus, Verdict
from tests.service.conftest import add_study

SCRIPT = "<script>alert('x')</script><b>bold</b> & [link](javascript:x) ![p](http://evil/) `code`"


@pytest.fixture
def study(services: Services, radiologist: Actor, document: dict[str, Any]) -> str:
    with services.database.begin() as session:
        return add_study(session, radiologist, document)[0].id


def _status(services: Services, study: str, actor: Actor, status: ReportStatus) -> Case:
    """Put a report into a status, past the gate: what is tested here is what leaves, not how it came to it."""
    from service.store.base import now

    with services.database.begin() as session:
        report = session.get(StudyReport, study)
        assert report is not None
        report.status = status.value
        if status is ReportStatus.SIGNED:
            report.signed_by, report.signed_at = actor.user_id, now()
    return open_case(services, actor, study)


def _pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


@pytest.mark.parametrize("status", [ReportStatus.DRAFT, ReportStatus.REVIEWED, ReportStatus.AMENDED])
def test_what_is_not_signed_says_draft_on_every_page(
    services: Services, radiologist: Actor, study: str, status: ReportStatus
) -> None:
    outgoing = build_outgoing(_status(services, study, radiologist, status))
    pages = _pages(to_pdf(outgoing))
    assert len(pages) >= 3
    for number, page in enumerate(pages, start=1):
        assert outgoing.mark
        assert outgoing.mark in page
        assert page.count("DRAFT") >= 2  # the head, and across the page
        assert f"Page {number} of {len(pages)}" in page
        assert f"{RESEARCH_USE} Study {outgoing.study_key}, version 1." in page
    assert "Not signed." in pages[0]
    assert to_markdown(outgoing).startswith(f"> **{outgoing.mark}**")
    assert to_markdown(outgoing).rstrip().endswith(f"> **{outgoing.mark}**")
    assert f'<div class="mark">{outgoing.mark}</div>' in to_html(outgoing)
    assert "position: fixed" in to_html(outgoing)  # what is fixed is printed on each page


def test_a_signed_report_says_who_and_when_and_nowhere_draft(
    services: Services, radiologist: Actor, study: str
) -> None:
    outgoing = build_outgoing(_status(services, study, radiologist, ReportStatus.SIGNED))
    pages = _pages(to_pdf(outgoing))
    assert "Signed by Dr rad on" in pages[0]
    for text in (*pages, to_markdown(outgoing), to_html(outgoing)):
        assert "DRAFT" not in text
        assert RESEARCH_USE in text
    assert "Signed by Dr rad on" in to_markdown(outgoing)
    assert "Signed by Dr rad on" in to_html(outgoing)


def test_the_pdf_has_the_sentences_the_decisions_and_what_made_it(
    services: Services, radiologist: Actor, study: str
) -> None:
    decisions.decide(services, radiologist, study, 1, ["g75"], Verdict.EDIT, grade="severe")
    outgoing = build_outgoing(open_case(services, radiologist, study))
    text = " ".join(" ".join(_pages(to_pdf(outgoing))).split())
    assert "L4-L5: Severe spinal canal stenosis (canal AP diameter 6.5 mm)." in text
    assert "edit: severe" in text
    assert "Weights: grading" in text
    assert "Rule: composer" in text
    assert "Threshold: spine likeness p value" in text
    assert to_pdf(outgoing) == to_pdf(outgoing)


def test_a_rejected_finding_is_in_the_table_as_rejected_only(
    services: Services, radiologist: Actor, study: str
) -> None:
    decisions.decide(services, radiologist, study, 1, ["g75"], Verdict.REJECT)
    outgoing = build_outgoing(open_case(services, radiologist, study))
    text = to_markdown(outgoing)
    row = next(line for line in text.splitlines() if line.startswith("| g75 | L4-L5"))
    assert "not assessable" in row
    assert "was rejected by a reader" in row
    assert "g76" not in text
    assert "two ways of grading spinal canal stenosis disagree" not in text  # a notice on what was rejected


def test_text_is_shown_and_never_run(services: Services, radiologist: Actor, study: str) -> None:
    case = open_case(services, radiologist, study)
    given = [
        GivenSection(section.name, tuple(GivenSentence(row.id, row.text) for row in section.visible))
        for section in case.current
    ]
    given[1] = GivenSection("findings", (*given[1].sentences, GivenSentence(None, SCRIPT)))
    outgoing = build_outgoing(editing.edit_text(services, radiologist, study, 1, given))
    page, plain = to_html(outgoing), to_markdown(outgoing)
    assert "<script" not in page + plain
    assert "<b>" not in page + plain
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert "](javascript:" not in plain.replace(r"\]", "")
    assert r"\`code\`" in plain
    assert "<script>alert('x')</script>" in " ".join(" ".join(_pages(to_pdf(outgoing))).split())
    pdf = PdfReader(io.BytesIO(to_pdf(outgoing)))
    assert all("/Annots" not in page for page in pdf.pages)


def test_other_scripts_and_words_without_end_fit_the_page(
    services: Services, radiologist: Actor, study: str
) -> None:
    case = open_case(services, radiologist, study)
    given = [
        GivenSection(section.name, tuple(GivenSentence(row.id, row.text) for row in section.visible))
        for section in case.current
    ]
    told = (GivenSentence(None, "Грыжа диска, προβολή, 19 µm."), GivenSentence(None, "x" * 2000))
    given[1] = GivenSection("findings", (*given[1].sentences, *told))
    outgoing = build_outgoing(editing.edit_text(services, radiologist, study, 1, given))
    assert "Грыжа диска, προβολή, 19 µm." in " ".join(_pages(to_pdf(outgoing)))


def test_pages_ask_nothing_of_the_network(services: Services, radiologist: Actor, study: str) -> None:
    page = to_html(build_outgoing(open_case(services, radiologist, study)))
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page


def test_the_picture_goes_with_html_and_pdf(services: Services, radiologist: Actor, study: str) -> None:
    import numpy as np
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.zeros((60, 40), np.uint8)).save(stream, "PNG")
    blob = services.blobs.put(stream.getvalue())
    with services.database.begin() as session:
        report = session.get(StudyReport, study)
        assert report is not None
        session.add(
            ReadingFile(
                reading_id=report.reading_id, name="overlay.png", sha256=blob.sha256, bytes=blob.bytes,
                media_type="image/png",
            )
        )  # fmt: skip
    page = export_report(services, radiologist, study, Format.HTML).content.decode()
    assert "data:image/png;base64," in page
    pdf = PdfReader(io.BytesIO(export_report(services, radiologist, study, Format.PDF).content))
    assert sum(len(page.images) for page in pdf.pages) == 1


def test_the_json_holds_what_was_proposed_and_what_stands(
    services: Services, radiologist: Actor, study: str, document: dict[str, Any]
) -> None:
    decisions.decide(services, radiologist, study, 1, ["g75"], Verdict.REJECT, note="artefact")
    exported = export_report(services, radiologist, study, Format.JSON)
    content = json.loads(exported.content)
    assert content["mark"].startswith("DRAFT")
    assert [row["text"] for row in content["proposed"][1]["sentences"]] == [
        row["text"] for row in document["report"]["sections"][1]["sentences"]
    ]
    shown = [row["text"] for row in content["report"]["sections"][1]["sentences"] if not row["is_hidden"]]
    assert "Moderate spinal canal stenosis (canal AP diameter 6.5 mm)." not in shown
    assert content["machine_findings"][74]["grade"] == "moderate"
    assert content["report"]["decisions"][0]["note"] == "artefact"


def test_every_export_is_audited_and_strangers_get_none(
    services: Services, radiologist: Actor, stranger: Actor, study: str
) -> None:
    exported = export_report(services, radiologist, study, Format.MARKDOWN)
    assert exported.name == "report-draft-df16d7a0f45ca0bd-v1.md"
    with services.database.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.export")).all()
    assert [(line.actor, line.details["format"], line.details["status"]) for line in lines] == [
        ("rad", "md", "draft")
    ]
    assert lines[0].details["models"]["grading"]
    with pytest.raises(NotFoundError):
        export_report(services, stranger, study, Format.PDF)


def test_a_report_signed_through_the_gate_leaves_without_the_mark(
    services: Services, radiologist: Actor, study: str
) -> None:
    case = open_case(services, radiologist, study)
    case = decisions.decide(services, radiologist, study, 1, case.positive_ids, Verdict.ACCEPT)
    for key in case.critical_ids:
        case = decisions.acknowledge(services, radiologist, study, case.version, key)
    case = signing.review(services, radiologist, study, case.version)
    signing.sign(services, radiologist, study, case.version, "rad")
    exported = export_report(services, radiologist, study, Format.PDF)
    assert exported.status is ReportStatus.SIGNED
    assert not any("DRAFT" in page for page in _pages(exported.content))
