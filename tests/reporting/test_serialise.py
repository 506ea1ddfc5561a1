"""The prompt text of Findings: compact, complete, the same each time."""

from random import Random

from anatomy import Condition, Side
from grading.types import Burden, GradeStatus
from reporting import SERIAL_VERSION, serialise_findings, serialise_level
from tests.reporting.factories import (
    make_findings,
    make_grade,
    make_level,
    make_measurement,
    random_findings,
    random_grade,
)


def test_one_level_as_text() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_DEGENERATION, ("III", "IV")),
        make_grade(Condition.DISC_BULGING, ("present",)),
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("severe",)),
        make_grade(Condition.NEURAL_FORAMINAL_NARROWING, ("moderate",), side=Side.LEFT),
        make_grade(Condition.MODIC, ("0", "2")),
        measurements=(make_measurement("canal_ap_diameter", 9.84),),
    )
    assert serialise_level(findings, "L4-L5") == (
        "L4-L5 | disc_degeneration pfirrmann III,IV | disc_bulging present | spinal_canal_stenosis severe 9.8 mm"
        " | neural_foraminal_narrowing left moderate | modic 0,2"
    )


def test_not_assessable_and_doubt_are_written() -> None:
    unknown = next(
        grade
        for seed in range(200)
        if (grade := random_grade(Random(seed), Condition.MODIC, "L4-L5", None)).status
        is GradeStatus.NOT_ASSESSABLE
    )
    findings = make_findings(unknown, levels=(make_level("L4-L5", doubt="no landmark in view"),))
    assert serialise_level(findings, "L4-L5") == "L4-L5 doubt | modic ?"


def test_all_levels_in_order_and_burden() -> None:
    findings = random_findings(Random(4))
    lines = serialise_findings(findings).splitlines()
    assert lines[0] == "sequences sagittal_t2 sagittal_t1"
    levels = list(dict.fromkeys(grade.level for grade in findings.grades))
    assert [line.split()[0] for line in lines[1:-1]] == levels
    assert lines[-1] == f"burden {findings.burden.score:.0f} moderate"
    assert serialise_findings(findings) == serialise_findings(random_findings(Random(4)))


def test_no_burden_is_a_question_mark() -> None:
    findings = make_findings(burden=Burden(None, None, (), "test/1"))
    assert serialise_findings(findings).splitlines()[-1] == "burden ?"


def test_version_is_named() -> None:
    assert SERIAL_VERSION == "findings-text/1"
