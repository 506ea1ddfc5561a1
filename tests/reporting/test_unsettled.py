"""What the impression does not pass over: checks that see more than the grade, and a canal that ends."""

from random import Random

from anatomy import Condition
from grading.types import Findings
from reporting import Checker, SentenceContext, compose_impression, verify_draft
from reporting.composer import compose_report
from reporting.types import SentenceStatus, VerdictStatus
from reporting.unsettled import interrupted_canal, unsettled_lines
from tests.reporting.factories import make_findings, make_grade, make_measurement, random_findings

CANAL = Condition.SPINAL_CANAL_STENOSIS
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
NORMAL = "No abnormality among the conditions that were assessed."


def canal(level: str, step: str, by_measurement: str) -> Findings:
    """Return a canal graded by its looks and by measurement."""
    looks = make_grade(CANAL, (step,), level=level)
    return make_findings(looks, make_grade(CANAL, (by_measurement,), level=level, scale="canal_ap"))


def outlined(*widths: float | None) -> Findings:
    """Return levels from L1-L2 downward with measured canals; grades g1 ... and values m1 ... in their order."""
    given = list(zip(LEVELS, widths, strict=False))
    values = tuple(
        make_measurement("canal_ap_diameter", width, level=level, measurement_id=f"m{number}")
        for number, (level, width) in enumerate(given, start=1)
    )
    return make_findings(
        *(make_grade(CANAL, ("normal_mild",), level=level) for level, _ in given), measurements=values
    )


def test_a_check_that_finds_what_the_grade_rules_out_is_said_in_place_of_nothing_abnormal() -> None:
    findings = canal("L4-L5", "normal_mild", "severe")
    texts = [item.text for item in compose_impression(findings)]
    line = (
        "Unsettled: possible severe spinal canal stenosis at L4-L5, which one way of grading finds and the other "
        "does not."
    )
    assert line in texts
    assert NORMAL not in texts
    (found,) = unsettled_lines(findings)
    assert set(found[1]) == {grade.id for grade in findings.grades}


def test_nothing_is_unsettled_where_both_nearly_agree_or_the_grade_is_abnormal() -> None:
    for step, measured in (("normal_mild", "normal_mild"), ("normal_mild", "moderate"), ("severe", "normal_mild")):
        assert unsettled_lines(canal("L4-L5", step, measured)) == []
    assert NORMAL in [item.text for item in compose_impression(canal("L4-L5", "normal_mild", "normal_mild"))]


def test_a_canal_that_ends_between_levels_is_said() -> None:
    text, ids = interrupted_canal(outlined(15.0, None, None, 14.0, 13.0)) or ("", ())
    assert text == (
        "The spinal canal could not be followed at L2-L3 and L3-L4, though it was above and below: severe "
        "stenosis cannot be excluded."
    )
    assert set(ids) == {"g2", "g3", "m2", "m3"}


def test_a_canal_that_was_never_outlined_above_or_below_is_not_interrupted() -> None:
    for widths in ((None, 14.0, 14.0), (14.0, 14.0, None), (None, None, None), (14.0, 14.0, 14.0)):
        assert interrupted_canal(outlined(*widths)) is None


def test_the_lines_hold_before_the_verifier() -> None:
    for findings in (canal("L4-L5", "normal_mild", "severe"), outlined(15.0, None, 14.0, 14.0, 13.0)):
        report = verify_draft(compose_report(findings), findings)
        sentences = [item for section in report.sections for item in section.sentences]
        assert {item.status for item in sentences} == {SentenceStatus.SUPPORTED}
    other = canal("L4-L5", "normal_mild", "normal_mild")
    claim = unsettled_lines(canal("L4-L5", "normal_mild", "severe"))[0][0]
    assert Checker(other).check(claim, SentenceContext()).status is not VerdictStatus.SUPPORTED


def test_random_findings_have_lines_only_with_checks_or_gaps() -> None:
    for seed in range(40):
        findings = random_findings(Random(seed))
        if not any(grade.is_check for grade in findings.grades):
            assert unsettled_lines(findings) == []
