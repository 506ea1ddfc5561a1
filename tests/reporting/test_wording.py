"""Free wording against findings: what agrees is supported, what does not is caught."""

from pathlib import Path

import pytest
import yaml

from anatomy import Condition, Side
from benchmarks.paraphrases import load_states
from grading.types import Findings
from reporting import Checker, SentenceContext, check_sentence
from reporting.types import VerdictStatus
from tests.reporting.factories import make_findings, make_grade

LABELLED = yaml.safe_load((Path(__file__).parent / "labelled/wording.yaml").read_text(encoding="utf-8"))


def supported(state: str, label: str) -> list[tuple[str, bool]]:
    checker = Checker(load_states()[state])
    texts = LABELLED[state].get(label, [])
    return [(text, checker.check(text, SentenceContext()).status is VerdictStatus.SUPPORTED) for text in texts]


def test_the_labelled_wording_is_large() -> None:
    counts = {label: sum(len(rows.get(label, [])) for rows in LABELLED.values()) for label in ("right", "wrong")}
    assert counts["right"] > 1000
    assert counts["wrong"] > 150


@pytest.mark.parametrize("state", LABELLED)
def test_labelled_wording_is_judged_as_labelled(state: str) -> None:
    assert [text for text, is_supported in supported(state, "right") if not is_supported] == []
    assert [text for text, is_supported in supported(state, "wrong") if is_supported] == []


@pytest.fixture
def findings() -> Findings:
    return make_findings(
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("moderate",)),
        make_grade(Condition.UPPER_ENDPLATE_CHANGE, ("present",)),
        make_grade(Condition.DISC_BULGING, ("present",)),
        make_grade(Condition.NEURAL_FORAMINAL_NARROWING, ("severe",), side=Side.LEFT),
        make_grade(Condition.NEURAL_FORAMINAL_NARROWING, ("normal_mild",), side=Side.RIGHT),
    )


@pytest.mark.parametrize(
    "text",
    [
        "The left neural foramen at L4-L5 is severely narrowed, the right is patent.",
        "The canal is moderately narrowed at L4-L5.",
        "Irregularity of the upper endplate at L4-L5.",
    ],
)
def test_free_wording_that_agrees_is_supported(text: str, findings: Findings) -> None:
    verdict = check_sentence(text, findings)
    assert verdict.status is VerdictStatus.SUPPORTED, verdict.reasons


@pytest.mark.parametrize(
    "text",
    [
        "The upper endplate is not irregular at L4-L5.",
        "The right neural foramen at L4-L5 is severely narrowed, the left is patent.",
        "The disc at L4-L5 is normal.",
        "The canal is diffusely narrowed at L4-L5.",
        "No patent left neural foramen at L4-L5.",
        "L4-L5 is not negative for a disc bulge.",
        "The left foramen measures 8.6 mm in AP diameter at L4-L5.",
        "Central disc bulge at L4-L5.",
        "The canal is possibly moderately narrowed at L4-L5.",
        "The disc at L4-L5 is not bulging.",
    ],
)
def test_free_wording_that_does_not_agree_is_caught(text: str, findings: Findings) -> None:
    assert check_sentence(text, findings).status is not VerdictStatus.SUPPORTED


def test_a_negation_or_doubt_needs_a_fact_that_carries_it(findings: Findings) -> None:
    reasons = check_sentence("L4-L5: disc bulge, not.", findings).reasons
    assert "a negation that no finding carries" in reasons
    reasons = check_sentence("L4-L5: disc bulge. Likely.", findings).reasons
    assert "a doubt that no finding carries" in reasons
