"""The burden score is said with its interval and with what was not graded."""

from dataclasses import replace

import pytest

from anatomy import Condition
from grading.types import Burden, Findings
from reporting import compose_report, render_html, render_markdown, verify_draft
from reporting.burden import burden_details, burden_limits
from reporting.checker import check_sentence
from reporting.types import SentenceStatus, VerdictStatus
from tests.reporting.factories import make_findings, make_grade

BURDEN = Burden(42.4, "moderate", (), "csds/3", (34.6, 50.2), 43.0, 88.3, 0.615)


@pytest.fixture
def findings() -> Findings:
    made = make_findings(make_grade(Condition.DISC_BULGING, ("present",)))
    return replace(made, burden=replace(BURDEN, terms=made.burden.terms))


def test_details_name_what_is_known() -> None:
    assert burden_details("mild") == "mild"
    assert burden_details("mild", (10.4, 20.6)) == "mild; 95 % interval 10 to 21"
    assert burden_details("mild", None, 1.0) == "mild"
    assert burden_details("mild", None, 0.999) == "mild; 99 % graded"


def test_limits_are_silent_when_nothing_is_missing() -> None:
    assert burden_limits(42.0, 1.0) == ""
    assert burden_limits(None, None) == ""
    assert "61 %" in burden_limits(88.3, 0.615)


def test_impression_and_renderings_show_the_interval(findings: Findings) -> None:
    draft = compose_report(findings)
    words = "Degeneration burden score 42 of 100 (moderate; 95 % interval 35 to 50; 61 % graded)."
    report = verify_draft(draft, findings)
    sentence = report.sections[-1].sentences[-1]
    assert sentence.text == words
    assert sentence.status is SentenceStatus.SUPPORTED
    for text in (render_markdown(report, findings), render_html(report, findings)):
        assert "42 of 100 (moderate; 95 % interval 35 to 50; 61 % graded)" in text
        assert "with the others at their worst it would be 88" in text


def test_another_interval_is_not_supported(findings: Findings) -> None:
    told = "Degeneration burden score 42 of 100 (moderate; 95 % interval 40 to 44; 61 % graded)."
    assert check_sentence(told, findings).status is not VerdictStatus.SUPPORTED
