"""Markdown and HTML: complete, marked, self-contained, and nothing from outside is run."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from random import Random

import pytest

from anatomy import Condition
from grading.types import Burden, Findings, GradeStatus
from reporting import NOTICE, compose_report, render_html, render_markdown, verify_draft
from reporting.types import Draft, DraftSection, DraftSentence, Report, SentenceSource
from tests.reporting.factories import make_findings, make_grade, make_measurement, random_findings

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) `c` | *b* \"q\" 'q' &amp;"


@pytest.fixture
def findings() -> Findings:
    return random_findings(Random(3))


@pytest.fixture
def report(findings: Findings) -> Report:
    return verify_draft(compose_report(findings), findings)


class Tags(HTMLParser):
    """Collects tags and attributes, and checks that they are balanced."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Tags()
    reader.feed(page)
    assert reader.open == []
    return reader.seen


def evil_findings() -> Findings:
    grade = make_grade(Condition.DISC_BULGING, ("present",))
    unknown = replace(
        make_grade(Condition.MODIC, ("0",)),
        grade=None,
        prediction_set=(),
        status=GradeStatus.NOT_ASSESSABLE,
        reason=EVIL,
    )
    value = replace(make_measurement("canal_ap_diameter", 9.0), method=EVIL)
    return make_findings(
        grade, unknown, measurements=(value,), study_key=EVIL, notices=(EVIL,), burden=Burden(1.0, EVIL, (), EVIL)
    )


def evil_report(findings: Findings) -> Report:
    sentence = DraftSentence(EVIL, (), SentenceSource.VLM)
    return verify_draft(Draft((DraftSection("findings", (sentence,)),)), findings)


def test_notice_stands_at_both_ends(report: Report, findings: Findings) -> None:
    lines = render_markdown(report, findings).strip().splitlines()
    assert lines[0] == lines[-1] == f"> **{NOTICE}**"
    page = render_html(report, findings)
    notice = NOTICE.replace("'", "&#39;")
    assert page.count(f'<p class="notice">{notice}</p>') == 2
    assert NOTICE not in render_markdown(report, findings, notice=False)


def test_an_alert_stands_above_the_title(report: Report, findings: Findings) -> None:
    lines = render_markdown(report, findings, alert="Read although <not> eligible.").splitlines()
    assert lines[2] == "> **Read although &lt;not&gt; eligible.**"
    assert lines[4].startswith("# ")
    page = render_html(report, findings, alert="Read although <not> eligible.")
    alert = '<p class="notice" role="alert">Read although &lt;not&gt; eligible.</p>'
    assert page.count(alert) == 1
    assert page.index(alert) < page.index("<h1>")
    assert 'role="alert"' not in render_html(report, findings)


def test_every_sentence_grade_and_measurement_is_shown(report: Report, findings: Findings) -> None:
    text, page = render_markdown(report, findings), render_html(report, findings)
    for section in report.sections:
        for sentence in section.sentences:
            assert sentence.text in text
            assert sentence.text in page
    for grade in findings.grades:
        assert f"| {grade.id} | {grade.level} |" in text
        assert f"<td>{grade.id}</td><td>{grade.level}</td>" in page
    for item in findings.measurements:
        assert f"| {item.id} | {item.level} |" in text
        assert f"<td>{item.id}</td>" in page
    assert len(re.findall(r"not assessable", text)) >= sum(
        g.status.value == "not_assessable" for g in findings.grades
    )


def test_probability_set_value_and_burden_terms() -> None:
    findings = make_findings(
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("moderate", "severe"), grade="severe"),
        measurements=(
            make_measurement("canal_ap_diameter", 9.84),
            make_measurement("disc_height", None, measurement_id="m2"),
        ),
    )
    text = render_markdown(verify_draft(compose_report(findings), findings), findings)
    assert "| severe | 0.50 | moderate |" in text
    assert "| canal AP diameter | 9.8 mm |" in text
    assert "not assessable (pixel spacing unknown)" in text
    assert "10 of 100 (moderate). Formula test/1." in text
    assert "| g1 | L4-L5 spinal canal stenosis: severe | 10.0 |" in text


def test_levels_make_paragraphs() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",)), make_grade(Condition.SPINAL_CANAL_STENOSIS, ("severe",))
    )
    text = render_markdown(verify_draft(compose_report(findings), findings), findings)
    assert "- L4-L5: Disc bulge. Severe spinal canal stenosis.\n" in text


def test_repairs_are_marked_and_listed() -> None:
    findings = make_findings(make_grade(Condition.DISC_BULGING, ("present",)))
    draft = Draft(
        (DraftSection("findings", (DraftSentence("L4-L5: No disc bulge.", ("g1",), SentenceSource.VLM),)),)
    )
    report = verify_draft(draft, findings)
    text, page = render_markdown(report, findings), render_html(report, findings)
    assert "- L4-L5: Disc bulge. *[repaired]*" in text
    assert "| L4-L5: No disc bulge. | L4-L5: Disc bulge. |" in text
    assert '<span class="mark">[repaired]</span>' in page
    assert "<td>L4-L5: No disc bulge.</td><td>L4-L5: Disc bulge.</td>" in page


def test_html_runs_nothing_from_outside() -> None:
    findings = evil_findings()
    page = render_html(evil_report(findings), findings, provenance={"key": EVIL})
    seen = tags(page)
    assert {tag for tag, _ in seen}.isdisjoint({"script", "img", "a", "iframe", "link", "object"})
    assert not any(name.startswith("on") for _, attributes in seen for name in attributes)
    assert "&lt;script&gt;" in page


def test_markdown_runs_nothing_from_outside() -> None:
    findings = evil_findings()
    text = render_markdown(evil_report(findings), findings, provenance={"key": EVIL})
    outside_code = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert "[a]" not in outside_code.replace("\\[a\\]", "")


def test_html_is_self_contained_and_embeds_the_overlay(report: Report, findings: Findings) -> None:
    png = b"\x89PNG\r\n\x1a\nrest"
    page = render_html(report, findings, png)
    images = [attributes for tag, attributes in tags(page) if tag == "img"]
    assert len(images) == 1
    assert str(images[0]["src"]).startswith("data:image/png;base64,iVBORw0KGgpyZXN0")
    assert "http" not in page.replace('http-equiv="', "")
    assert "@media print" in page
    assert not any(tag == "img" for tag, _ in tags(render_html(report, findings)))


def test_provenance_is_optional(report: Report, findings: Findings) -> None:
    block = {"weights": {"grading": "abc"}, "seeds": {}}
    assert "Provenance" not in render_markdown(report, findings)
    assert "Provenance" not in render_html(report, findings)
    assert '"grading": "abc"' in render_markdown(report, findings, provenance=block)
    assert "&#34;grading&#34;: &#34;abc&#34;" in render_html(report, findings, provenance=block)


def test_the_same_report_renders_the_same(report: Report, findings: Findings) -> None:
    assert render_markdown(report, findings) == render_markdown(report, findings)
    assert render_html(report, findings, b"x") == render_html(report, findings, b"x")
