"""The deterministic report: order, grouping, limits said once, a ranked impression."""

from dataclasses import replace
from random import Random

from anatomy import CONDITIONS, SCALES, Condition, Side
from grading.types import Burden, Grade, GradeStatus
from reporting import compose_report, parse_report, verify_draft
from reporting.levels_text import levels_text
from reporting.types import Draft, SentenceStatus
from tests.reporting.factories import (
    LUMBAR,
    LUMBAR_CONDITIONS,
    make_findings,
    make_grade,
    make_level,
    make_measurement,
    random_findings,
)

ONLY_MEASURED = "No condition could be graded; the values that were measured are in the table of measurements."


def normal(condition: Condition, level: str) -> Grade:
    return make_grade(condition, SCALES[CONDITIONS[condition].scales[0]].grades[:1], level=level)


def unknown(condition: Condition, level: str, reason: str) -> Grade:
    grade = normal(condition, level)
    return replace(
        grade, grade=None, prediction_set=(), probabilities={}, status=GradeStatus.NOT_ASSESSABLE, reason=reason
    )


def texts(draft: Draft, name: str) -> list[str]:
    return [item.text for section in draft.sections if section.name == name for item in section.sentences]


def test_sections_come_in_order() -> None:
    draft = compose_report(random_findings(Random(1)))
    assert [section.name for section in draft.sections] == ["technique", "findings", "impression"]


def test_unremarkable_levels_share_one_sentence() -> None:
    grades = [normal(item, level) for level in LUMBAR[2:5] for item in LUMBAR_CONDITIONS]
    findings = make_findings(*grades, make_grade(Condition.DISC_BULGING, ("present",), level="L5-S1"))
    lines = texts(compose_report(findings), "findings")
    assert lines[0] == (
        "L1-L2 to L3-L4: No disc height loss, disc bulge, disc herniation, spondylolisthesis, Modic change or "
        "endplate change, and no significant disc degeneration or spinal canal stenosis."
    )
    assert lines[1:] == ["L5-S1: Disc bulge."]


def test_grouped_levels_hold_before_the_verifier() -> None:
    sided = (Condition.SUBARTICULAR_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING)
    plain = [normal(item, level) for level in LUMBAR for item in LUMBAR_CONDITIONS]
    pairs = [replace(normal(item, level), side=side) for level in LUMBAR for item in sided for side in Side]
    findings = make_findings(*plain, *pairs)
    report = verify_draft(compose_report(findings), findings)
    (line,) = [item.text for item in report.sections[1].sentences]
    assert line.startswith("T11-T12 to L5-S1: No disc height loss")
    assert line.endswith("subarticular stenosis on either side or neural foraminal narrowing on either side.")
    facts = parse_report(line)
    assert len(facts) == len(findings.grades)
    assert all(fact.negated for fact in facts)


def test_levels_run_from_cranial_to_caudal() -> None:
    grades = [make_grade(Condition.DISC_BULGING, ("present",), level=level) for level in LUMBAR]
    lines = texts(compose_report(make_findings(*grades)), "findings")
    assert [line.split(":")[0] for line in lines] == list(LUMBAR)


def test_not_assessable_is_said_once_with_its_reason() -> None:
    grades = [unknown(Condition.MODIC, level, "no T1 series was read") for level in LUMBAR[3:]]
    grades.append(unknown(Condition.SPINAL_CANAL_STENOSIS, "L5-S1", "pixel spacing unknown"))
    draft = compose_report(make_findings(*grades))
    assert texts(draft, "technique")[-2:] == [
        "Not assessable: Modic endplate marrow change at all levels (no T1 series was read).",
        "Not assessable: spinal canal stenosis at L5-S1 (pixel spacing unknown).",
    ]
    assert texts(draft, "findings") == ["No condition could be graded."]


def test_of_a_study_without_grades_the_values_are_said_level_by_level() -> None:
    grades = [unknown(Condition.DISC_BULGING, level, "no grading model is installed") for level in LUMBAR[-2:]]
    grades.append(unknown(Condition.SACROILIITIS, "SIJ", "no grading model is installed"))
    values = (
        make_measurement("disc_height", 8.04),
        make_measurement("canal_ap_diameter", 9.76, measurement_id="m2"),
        make_measurement("disc_height", None, level="L5-S1", measurement_id="m3"),
        make_measurement("listhesis", 0.4, level="L5-S1", measurement_id="m4"),
    )
    findings = make_findings(*grades, measurements=values)
    draft = compose_report(findings)
    assert texts(draft, "findings") == [
        "L4-L5: disc height 8.0 mm and canal AP diameter 9.8 mm.",
        ONLY_MEASURED,
    ]
    report = verify_draft(draft, findings)
    assert all(item.status is SentenceStatus.SUPPORTED for part in report.sections for item in part.sentences)
    said = next(part for part in report.sections if part.name == "findings").sentences[0]
    assert said.finding_ids == (findings.measurements[0].id, findings.measurements[1].id)


def test_missing_lengths_are_said() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",)),
        measurements=(make_measurement("canal_ap_diameter", None),),
    )
    assert "Lengths in mm are not assessable: pixel spacing unknown." in texts(
        compose_report(findings), "technique"
    )


def test_notices_become_sentences() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",)), notices=("an axial series was left out",)
    )
    assert "An axial series was left out." in texts(compose_report(findings), "technique")


def test_impression_ranks_by_severity_then_from_cranial_to_caudal() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",), level="L2-L3"),
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("severe",), level="L3-L4"),
        make_grade(Condition.DISC_BULGING, ("present",), level="L5-S1"),
    )
    lines = texts(compose_report(findings), "impression")
    assert lines[:3] == [
        "Critical: suspected cauda equina crowding with severe spinal canal stenosis at L3-L4; correlate for "
        "cauda equina symptoms.",
        "L2-L3: Disc bulge.",
        "L5-S1: Disc bulge.",
    ]
    assert lines[3] == "Degeneration burden score 20 of 100 (moderate)."


def test_impression_is_short() -> None:
    for seed in range(20):
        findings = random_findings(Random(seed), sided=True)
        assert len(texts(compose_report(findings), "impression")) <= 8


def test_impression_states_doubt_and_further_levels() -> None:
    grades = [make_grade(Condition.DISC_BULGING, ("present",), level=level) for level in LUMBAR]
    levels = (make_level("L4-L5", doubt="no landmark in view"), make_level("L5-S1", doubt="no landmark in view"))
    lines = texts(compose_report(make_findings(*grades, levels=levels)), "impression")
    assert "Further changes at L3-L4 to L5-S1, as described above." in lines
    assert "Level numbering is in doubt at L4-L5 and L5-S1: no landmark in view." in lines


def test_nothing_abnormal_and_nothing_graded() -> None:
    clean = make_findings(normal(Condition.DISC_BULGING, "L5-S1"), burden=Burden(0.0, "none", (), "test/1"))
    assert texts(compose_report(clean), "impression") == [
        "No abnormality among the conditions that were assessed.",
        "Degeneration burden score 0 of 100 (none).",
    ]
    empty = make_findings(burden=Burden(None, None, (), "test/1"))
    assert texts(compose_report(empty), "impression") == [
        "No degeneration burden score: no condition could be graded."
    ]


def test_sets_are_said_as_sets() -> None:
    findings = make_findings(
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("moderate", "severe")),
        make_grade(Condition.DISC_DEGENERATION, ("II", "III")),
    )
    assert texts(compose_report(findings), "findings") == [
        "L4-L5: Pfirrmann grade II or III disc.",
        "Moderate or severe spinal canal stenosis.",
    ]


def test_the_same_findings_give_the_same_report() -> None:
    assert compose_report(random_findings(Random(8))) == compose_report(random_findings(Random(8)))


def test_levels_text() -> None:
    assert levels_text(["L1-L2"]) == "L1-L2"
    assert levels_text(["L1-L2", "L2-L3"]) == "L1-L2 and L2-L3"
    assert levels_text(["L1-L2", "L2-L3", "L3-L4", "L5-S1"]) == "L1-L2 to L3-L4 and L5-S1"


def test_impression_names_both_halves_of_what_is_found_alike() -> None:
    sides = [make_grade(Condition.NEURAL_FORAMINAL_NARROWING, ("moderate",), side=side) for side in Side]
    worse = [make_grade(name, ("severe",)) for name in (Condition.SPINAL_CANAL_STENOSIS,)]
    worse += [make_grade(Condition.SUBARTICULAR_STENOSIS, ("severe",), side=side) for side in Side]
    ends = [
        make_grade(name, ("present",))
        for name in (Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE)
    ]
    (line, *_) = [
        text
        for text in texts(compose_report(make_findings(*sides, *worse, *ends)), "impression")
        if text.startswith("L4-L5")
    ]
    assert "oderate bilateral neural foraminal narrowing" in line
    assert "endplate" not in line


def test_the_score_of_joints_is_not_called_degeneration() -> None:
    joint = make_grade(Condition.SACROILIITIS, ("early",), level="SIJ", side=Side.LEFT, scale="as_stage")
    findings = make_findings(joint, protocol="sacroiliac")
    assert texts(compose_report(findings), "impression")[-1].startswith("Sacroiliac burden score ")
    none = replace(findings, burden=Burden(None, None, (), "test/1"))
    assert (
        texts(compose_report(none), "impression")[-1]
        == "No sacroiliac burden score: no condition could be graded."
    )
