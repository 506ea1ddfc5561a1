"""The change table and its sentences: each rule, both ways round, and nothing of the earlier file's own words."""

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from anatomy import Condition, Side
from grading.types import Findings, Grade, GradeStatus
from reporting import compose_report, verify_draft
from reporting.prior import Change, compare_with_prior, compose_comparison, prior_findings
from reporting.prior.build import value_limit
from reporting.types import Report, ReportSentence, SentenceStatus
from reporting.verifier import failures
from runtime.errors import StudyError
from tests.reporting.factories import (
    LUMBAR,
    make_findings,
    make_grade,
    make_level,
    make_measurement,
    random_findings,
)

CANAL, BULGE, DISC = Condition.SPINAL_CANAL_STENOSIS, Condition.DISC_BULGING, Condition.DISC_DEGENERATION
REVERSED = {
    Change.NEW: Change.RESOLVED,
    Change.RESOLVED: Change.NEW,
    Change.WORSE: Change.BETTER,
    Change.BETTER: Change.WORSE,
}


def unknown(grade: Grade) -> Grade:
    return replace(
        grade, grade=None, prediction_set=(), status=GradeStatus.NOT_ASSESSABLE, reason="no T1", evidence=None
    )


def change_of(before: Grade, now: Grade) -> tuple[Change, str | None]:
    (row,) = compare_with_prior(make_findings(now), make_findings(before)).grades
    return row.change, row.reason


@pytest.mark.parametrize(
    ("condition", "before", "now", "change"),
    [
        (CANAL, ("normal_mild",), ("severe",), Change.NEW),
        (CANAL, ("moderate",), ("severe",), Change.WORSE),
        (CANAL, ("severe",), ("moderate",), Change.BETTER),
        (CANAL, ("moderate", "severe"), ("normal_mild",), Change.RESOLVED),
        (CANAL, ("moderate",), ("moderate",), Change.UNCHANGED),
        (BULGE, ("absent",), ("present",), Change.NEW),
        (BULGE, ("absent",), ("absent",), Change.UNCHANGED),
        (DISC, ("I",), ("II",), Change.WORSE),
        (DISC, ("I", "II"), ("III", "IV"), Change.NEW),
        (DISC, ("III",), ("IV", "V"), Change.WORSE),
        (Condition.MODIC, ("0",), ("1",), Change.NEW),
        (Condition.MODIC, ("2",), ("0",), Change.RESOLVED),
    ],
)
def test_changes_of_grades(
    condition: Condition, before: tuple[str, ...], now: tuple[str, ...], change: Change
) -> None:
    assert change_of(make_grade(condition, before), make_grade(condition, now)) == (change, None)


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (("moderate", "severe"), ("severe",), "the steps that cannot be excluded overlap"),
        (("normal_mild", "severe"), ("moderate",), "the steps that cannot be excluded lie between one another"),
    ],
)
def test_sets_that_share_or_cross_are_not_comparable(
    before: tuple[str, ...], now: tuple[str, ...], reason: str
) -> None:
    assert change_of(make_grade(CANAL, before), make_grade(CANAL, now)) == (Change.NOT_COMPARABLE, reason)


def test_the_same_set_with_another_best_step_is_not_comparable() -> None:
    before, now = (make_grade(CANAL, ("moderate", "severe"), grade=step) for step in ("moderate", "severe"))
    assert change_of(before, now)[0] is Change.NOT_COMPARABLE
    assert change_of(before, before)[0] is Change.UNCHANGED


def test_modic_types_have_no_order() -> None:
    before, now = (make_grade(Condition.MODIC, (step,)) for step in ("1", "2"))
    assert change_of(before, now) == (Change.NOT_COMPARABLE, "the types of this scale have no order")


def test_what_one_reading_lacks_is_not_comparable_with_the_reason() -> None:
    grade = make_grade(CANAL, ("severe",))
    assert change_of(unknown(grade), grade)[1] == "not assessed in the earlier reading"
    assert change_of(grade, unknown(grade))[1] == "not assessed in this reading"
    assert change_of(unknown(grade), unknown(grade))[1] == "not assessed in either reading"
    left, right = (
        make_grade(Condition.SUBARTICULAR_STENOSIS, ("severe",), side=side) for side in (Side.LEFT, Side.RIGHT)
    )
    rows = compare_with_prior(make_findings(left), make_findings(right)).grades
    assert [(row.side, row.reason) for row in rows] == [
        (Side.LEFT, "not part of the earlier reading"),
        (Side.RIGHT, "not part of this reading"),
    ]


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [(14.6, 9.8, Change.DECREASED), (9.8, 14.6, Change.INCREASED), (14.4, 9.8, Change.WITHIN_ERROR)],
)
def test_values_change_only_beyond_the_measurement_error(before: float, now: float, change: Change) -> None:
    then, here = (
        make_findings(make_grade(BULGE, ("absent",)), measurements=(make_measurement("canal_ap_diameter", value),))
        for value in (before, now)
    )
    (row,) = compare_with_prior(here, then).values
    assert row.change is change
    assert row.limit == 4.7
    assert row.difference == pytest.approx(now - before)


def test_limits_are_the_documented_errors_times_root_two() -> None:
    assert value_limit("lumbar", "disc_height", "mm") == pytest.approx((4.17 + 5.42) / 2 * 2**0.5, abs=0.05)
    assert value_limit("lumbar", "listhesis", "mm") == pytest.approx((2.71 + 3.19) / 2 * 2**0.5, abs=0.05)
    assert value_limit("cervical", "canal_ap_diameter", "mm") is None
    assert value_limit("lumbar", "canal_ap_diameter", "px") is None


def test_a_slip_that_turned_round_and_a_quantity_without_error_have_no_verdict() -> None:
    base = make_grade(BULGE, ("absent",))
    then = make_findings(
        base, measurements=(make_measurement("listhesis", -3.0), make_measurement("cord_area", 70.0, unit="mm2"))
    )
    here = make_findings(
        base, measurements=(make_measurement("listhesis", 4.0), make_measurement("cord_area", 40.0, unit="mm2"))
    )
    slip, area = compare_with_prior(here, then).values
    assert (slip.change, slip.reason) == (Change.NOT_COMPARABLE, "the slip points the other way")
    assert (area.difference, area.limit, area.change) == (-30.0, None, Change.NOT_COMPARABLE)


def test_doubtful_numbering_of_either_reading_is_a_notice() -> None:
    grade = make_grade(BULGE, ("present",))
    doubtful = make_findings(grade, levels=(make_level("L4-L5", doubt="written by someone else"),))
    notices = compare_with_prior(make_findings(grade), doubtful).notices
    assert notices == (
        "Level numbering was in doubt in the earlier reading at L4-L5; changes there may belong to a neighbouring "
        "level.",
    )
    assert "in doubt in this reading at L4-L5" in compare_with_prior(doubtful, make_findings(grade)).notices[0]


def test_a_reading_against_itself_is_unchanged_and_turned_round_is_turned_round() -> None:
    seen = set()
    for seed in range(40):
        first, second = (random_findings(Random(2 * seed + turn), sided=True) for turn in range(2))
        same = compare_with_prior(first, first)
        assert {row.change for row in same.grades} <= {Change.UNCHANGED, Change.NOT_COMPARABLE}
        assert {row.reason for row in same.grades} <= {None, "not assessed in either reading"}
        assert {row.change for row in same.values} <= {Change.WITHIN_ERROR, Change.NOT_COMPARABLE}
        forward, back = compare_with_prior(second, first), compare_with_prior(first, second)
        for row in forward.grades:
            (other,) = [item for item in back.grades if _place(item) == _place(row)]
            assert other.change is REVERSED.get(row.change, row.change)
            seen.add(row.change)
    assert seen == {*REVERSED, Change.UNCHANGED, Change.NOT_COMPARABLE}


def _place(row: Any) -> tuple[object, ...]:
    return row.level, row.side, row.condition


def drawn_report(seed: int) -> tuple[Report, Findings, Findings]:
    prior = random_findings(Random(1000 + seed), sided=True)
    now = random_findings(Random(seed), sided=True)
    comparison = compare_with_prior(now, prior)
    report = verify_draft(compose_report(now), now, comparison)
    assert failures(report, now, comparison) == []
    return report, now, prior


def section(report: Report) -> tuple[ReportSentence, ...]:
    return next(part.sentences for part in report.sections if part.name == "comparison")


def test_the_comparison_section_holds_and_names_findings_of_both_readings() -> None:
    for seed in range(24):
        report, now, prior = drawn_report(seed)
        assert [part.name for part in report.sections] == ["technique", "findings", "comparison", "impression"]
        lines = section(report)
        assert all(line.status is SentenceStatus.SUPPORTED for line in lines)
        here = {grade.id for grade in now.grades} | {item.id for item in now.measurements}
        then = {grade.id for grade in prior.grades} | {item.id for item in prior.measurements}
        for line in lines:
            assert set(line.finding_ids) <= here
            assert set(line.prior_finding_ids) <= then
            if line.text.split(": ")[0] in LUMBAR:
                assert line.finding_ids
                assert line.prior_finding_ids


def test_every_change_has_its_sentence() -> None:
    for seed in range(12):
        report, now, prior = drawn_report(seed)
        told = {key for line in section(report) for key in line.finding_ids}
        for row in compare_with_prior(now, prior).grades:
            if row.change in REVERSED and row.now is not None:
                assert row.now.id in told


def test_the_words_of_each_change() -> None:
    prior = make_findings(
        make_grade(BULGE, ("absent",)),
        make_grade(CANAL, ("moderate",)),
        make_grade(DISC, ("IV",)),
        make_grade(Condition.DISC_HERNIATION, ("present",)),
        make_grade(Condition.SPONDYLOLISTHESIS, ("present",)),
        make_grade(BULGE, ("absent",), level="L3-L4"),
        make_grade(CANAL, ("moderate", "severe"), level="L5-S1"),
        measurements=(make_measurement("canal_ap_diameter", 14.81), make_measurement("disc_height", 9.0)),
    )
    now = make_findings(
        make_grade(BULGE, ("present",)),
        make_grade(CANAL, ("severe",)),
        make_grade(DISC, ("II", "III")),
        make_grade(Condition.DISC_HERNIATION, ("absent",)),
        make_grade(Condition.SPONDYLOLISTHESIS, ("present",)),
        make_grade(BULGE, ("absent",), level="L3-L4"),
        make_grade(CANAL, ("severe",), level="L5-S1"),
        measurements=(
            make_measurement("canal_ap_diameter", 9.84),
            make_measurement("disc_height", 8.0, measurement_id="m2"),
        ),
    )
    lines = compose_comparison(compare_with_prior(now, prior), now)
    assert [line.text for line in lines] == [
        "L4-L5: New since the earlier reading: a disc bulge.",
        "L4-L5: Progressed: spinal canal stenosis from moderate to severe.",
        "L4-L5: Improved: disc degeneration from Pfirrmann grade IV to Pfirrmann grade II or Pfirrmann grade III.",
        "L4-L5: No longer seen: a disc herniation.",
        "L4-L5: Unchanged: spondylolisthesis.",
        "L4-L5: canal AP diameter has decreased from 14.8 to 9.8 mm, beyond the measurement error of 4.7 mm.",
        "Unchanged and unremarkable where compared: L3-L4.",
        "Within measurement error of the earlier reading: disc height at L4-L5.",
        "Not comparable with the earlier reading: spinal canal stenosis at L5-S1 (the steps that cannot be "
        "excluded overlap).",
    ]


def test_nothing_to_compare_is_said() -> None:
    now = make_findings(unknown(make_grade(BULGE, ("present",))))
    lines = compose_comparison(compare_with_prior(now, now), now)
    assert [line.text for line in lines] == ["Nothing can be compared with the earlier reading."]


def test_the_same_readings_give_the_same_table_and_text() -> None:
    texts = set()
    for _ in range(2):
        report, now, prior = drawn_report(5)
        table = json.dumps(compare_with_prior(now, prior).to_dict(), sort_keys=True)
        texts.add((table, tuple(line.text for line in section(report))))
    assert len(texts) == 1


def document_of(findings: Findings) -> dict[str, Any]:
    """Return the parts of a reading.json that a prior is read from."""
    return {
        "study": {"key": findings.study_key, "protocol": findings.protocol},
        "levels": [level.to_dict() for level in findings.levels],
        "grades": [grade.to_dict() for grade in findings.grades],
        "measurements": [item.to_dict() for item in findings.measurements],
    }


def test_a_prior_keeps_steps_and_values_and_none_of_its_words() -> None:
    findings = random_findings(Random(4), sided=True)
    document = document_of(findings)
    secret = "Jane Doe 1961-04-01"
    for row in (*document["grades"], *document["measurements"]):
        row["reason"] = row["method"] = secret
    document["levels"][0]["doubt"] = secret
    prior = prior_findings(document, protocol="lumbar", name="old.json")
    assert [grade.prediction_set for grade in prior.grades] == [grade.prediction_set for grade in findings.grades]
    comparison = compare_with_prior(findings, prior)
    shown = json.dumps(comparison.to_dict()) + str(
        [item.text for item in compose_comparison(comparison, findings)]
    )
    assert secret not in shown
    assert "Jane" not in repr(prior)


def test_a_prior_of_another_region_names_file_expected_and_found() -> None:
    document = document_of(make_findings(make_grade(BULGE, ("present",))))
    with pytest.raises(StudyError, match=r"old\.json: expected .* cervical protocol, .* found one of the lumbar"):
        prior_findings(document, protocol="cervical", name="old.json")


def test_a_prior_with_unknown_steps_or_a_place_twice_is_refused() -> None:
    document = document_of(make_findings(make_grade(BULGE, ("present",))))
    document["grades"][0] |= {"grade": "huge", "prediction_set": ["huge"]}
    with pytest.raises(StudyError, match=r"old\.json: expected steps of presence for disc_bulging, found g1"):
        prior_findings(document, protocol="lumbar", name="old.json")
    twice = document_of(make_findings(make_grade(BULGE, ("present",)), make_grade(BULGE, ("absent",))))
    with pytest.raises(StudyError, match="expected one grade per place"):
        prior_findings(twice, protocol="lumbar", name="old.json")
