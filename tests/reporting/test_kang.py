"""Kang 1 is effacement without a deformed cord: no sentence that calls it compression is written or kept."""

import pytest

from anatomy import SCALES, Condition
from grading.types import Findings
from reporting import Checker, SentenceContext, compose_impression, compose_level, compose_report, parse_report
from reporting.types import VerdictStatus
from reporting.verifier import failures, verify_draft
from tests.reporting.factories import make_findings, make_grade

CORD = Condition.CORD_COMPRESSION
SETS = [("0",), ("1",), ("0", "1"), ("1", "2"), ("0", "1", "2"), ("2",), ("2", "3"), ("3",)]


def cord(*steps: str) -> Findings:
    return make_findings(make_grade(CORD, steps, level="C4-C5", scale="kang"), protocol="cervical")


def status(text: str, *steps: str) -> VerdictStatus:
    return Checker(cord(*steps)).check(text, SentenceContext()).status


def test_the_scale_says_where_compression_begins() -> None:
    assert SCALES["kang"].present_from == "2"


@pytest.mark.parametrize("style", ["structured", "telegraphic", "narrative", "patient"])
@pytest.mark.parametrize("steps", [("1",), ("0", "1")])
def test_kang_1_is_never_said_to_be_compression(steps: tuple[str, ...], style: str) -> None:
    texts = [item.text for item in compose_level(cord(*steps), "C4-C5", style=style)]
    texts += [item.text for item in compose_impression(cord(*steps))]
    assert any("Kang grade 1" in text for text in texts)
    assert not any("compress" in text or "pressure" in text or "Critical" in text for text in texts)


@pytest.mark.parametrize("steps", SETS)
def test_composed_text_holds_and_is_read_back(steps: tuple[str, ...]) -> None:
    findings = cord(*steps)
    report = verify_draft(compose_report(findings), findings)
    assert failures(report, findings) == []
    (fact,) = parse_report(" ".join(item.text for item in compose_level(findings, "C4-C5")))
    named = "|".join(step for step in steps if step != "0")
    assert (fact.condition, fact.grade or "", fact.negated) == (CORD, named, steps == ("0",))


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("Cord compression at C4-C5.", ("1",), VerdictStatus.CONTRADICTED),
        ("Cord compression (Kang grade 1) at C4-C5.", ("1",), VerdictStatus.CONTRADICTED),
        ("Kang grade 1 cord compression at C4-C5.", ("1",), VerdictStatus.UNSUPPORTED),
        ("Possible cord compression at C4-C5.", ("0", "1"), VerdictStatus.CONTRADICTED),
        ("Possible cord compression at C4-C5.", ("1", "2"), VerdictStatus.SUPPORTED),
        ("Cord compression at C4-C5.", ("1", "2"), VerdictStatus.UNSUPPORTED),
        ("No cord compression at C4-C5.", ("1",), VerdictStatus.UNSUPPORTED),  # leaves out the effacement
        ("No cord compression at C4-C5.", ("1", "2"), VerdictStatus.CONTRADICTED),
        ("No cord compression at C4-C5.", ("0",), VerdictStatus.SUPPORTED),
        ("Kang grade 1 at C4-C5.", ("1",), VerdictStatus.SUPPORTED),
        ("C4-C5: effacement of the subarachnoid space, Kang grade 1.", ("1",), VerdictStatus.SUPPORTED),
        ("C4-C5: effacement of the subarachnoid space (Kang grade 2).", ("1",), VerdictStatus.CONTRADICTED),
        ("C4-C5: effacement of the subarachnoid space.", ("1",), VerdictStatus.UNSUPPORTED),
    ],
)  # fmt: skip
def test_what_is_said_of_the_cord_is_compared_with_the_meaning_of_the_step(
    text: str, steps: tuple[str, ...], expected: VerdictStatus
) -> None:
    assert status(text, *steps) is expected


def test_a_deformed_cord_is_not_called_undeformed() -> None:
    text = "C4-C5: effacement of the subarachnoid space without cord deformity (Kang grade 2)."
    assert status(text, "2") is not VerdictStatus.SUPPORTED
