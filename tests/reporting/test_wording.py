"""Free wording in the order of the phrase files, and the checks that stand behind it."""

import pytest

from anatomy import Condition, Side
from grading.types import Findings
from reporting import check_sentence
from reporting.types import VerdictStatus
from reporting.wording import plain_wording
from tests.reporting.factories import make_findings, make_grade


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
    ("free", "plain"),
    [
        (
            "Both L5-S1 neural foramina are severely narrowed.",
            "severe bilateral neural foraminal narrowing at L5-S1.",
        ),
        ("The disc at L4-L5 is not herniated.", "no disc herniation at L4-L5."),
        (
            "Foraminal stenosis at L4-L5, severe on the left and moderate on the right.",
            "severe left and moderate right Foraminal stenosis at L4-L5.",
        ),
        (
            "Moderate canal stenosis at L2-3, severe at L4-5.",
            "Moderate canal stenosis at L2-3, severe canal stenosis at L4-5.",
        ),
        ("Slip of L5 on S1 measuring about 8 mm.", "spondylolisthesis at L5 on S1 (slip 8 mm)."),
        ("Normal sacroiliac joints.", "no sacroiliitis on either side."),
        ("The disc at L4-L5 is normal.", "The disc at L4-L5 is normal."),
        ("A haemangioma of L3.", "A haemangioma of L3."),
    ],
)
def test_free_wording_is_put_in_order(free: str, plain: str) -> None:
    assert plain_wording(free) == plain


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
