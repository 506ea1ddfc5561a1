"""The Findings graph: order, ids, notices."""

import pytest

from anatomy import Condition, Side, load_protocol
from grading.findings import build_findings, not_assessable, rules_of
from grading.types import Grade, GradeStatus
from imaging.types import Sequence
from tests.grading.factories import (
    canal_measurement,
    chain,
    draw_spine,
    levels_of,
    segmented_of,
    series_of,
    study_of,
)

LUMBAR = load_protocol("lumbar")


def _grade(level: str, condition: Condition, grade: str, scale: str = "presence") -> Grade:
    return Grade("", level, None, condition, scale, grade, {}, (grade,), GradeStatus.GRADED, None, None)


def _parts() -> tuple:
    points = {name: point for name, point in chain().items() if name not in {"T11-T12", "T12-L1"}}
    doubt = {"L4-L5": "no sacrum in view", "L5-S1": "no sacrum in view"}
    segmented = segmented_of(
        {"S1": levels_of(points, doubt=doubt)},
        measurements=(canal_measurement(1, "L4-L5", 9.0),),
        notices=("Axial series were not outlined.",),
    )
    return study_of(series_of(draw_spine(points)), notices=("A localiser was left out.",)), segmented


def test_order_is_level_then_condition_and_ids_count_on() -> None:
    study, segmented = _parts()
    grades = [
        _grade("L5-S1", Condition.DISC_BULGING, "present"),
        _grade("L1-L2", Condition.MODIC, "0", "modic"),
        _grade("L1-L2", Condition.DISC_DEGENERATION, "III", "pfirrmann"),
        not_assessable("L4-L5", Condition.MODIC, "modic", "needs T1"),
    ]
    findings = build_findings(study, segmented, LUMBAR, grades)
    assert [(grade.id, grade.level, grade.condition.value) for grade in findings.grades] == [
        ("g1", "L1-L2", "disc_degeneration"),
        ("g2", "L1-L2", "modic"),
        ("g3", "L4-L5", "modic"),
        ("g4", "L5-S1", "disc_bulging"),
    ]
    assert {term.grade_id for term in findings.burden.terms} == {"g1", "g4"}
    assert findings.sequences == ("sagittal_t2",)
    assert findings.measurement("m1") == segmented.measurements[0]


def test_left_stands_before_right() -> None:
    study, segmented = _parts()
    sides = [
        Grade("", "L4-L5", side, Condition.NEURAL_FORAMINAL_NARROWING, "rsna", "moderate", {}, ("moderate",),
              GradeStatus.GRADED, None, None)
        for side in (Side.RIGHT, Side.LEFT)
    ]  # fmt: skip
    findings = build_findings(study, segmented, LUMBAR, sides)
    assert [grade.side for grade in findings.grades] == [Side.LEFT, Side.RIGHT]


def test_doubts_and_missing_levels_are_stated_once() -> None:
    study, segmented = _parts()
    findings = build_findings(study, segmented, LUMBAR, [], notices=("Twice.", "Twice."))
    assert findings.notices == (
        "A localiser was left out.",
        "Axial series were not outlined.",
        "Numbering of L4-L5 and L5-S1 is doubtful: no sacrum in view.",
        "T11-T12 and T12-L1 were not found in the images and not graded.",
        "Twice.",
    )
    assert findings.burden.score is None


def test_the_same_place_twice_is_refused() -> None:
    study, segmented = _parts()
    twice = [_grade("L4-L5", Condition.DISC_BULGING, grade) for grade in ("absent", "present")]
    with pytest.raises(ValueError, match="expected one per level"):
        build_findings(study, segmented, LUMBAR, twice)


def test_lumbar_protocol_names_an_installed_rule() -> None:
    assert [rule.id for rule in rules_of(LUMBAR)] == ["canal_ap_verbiest/1"]


def test_records_load_without_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, grading, grading.types, grading.burden, grading.findings, grading.stenosis;"
        "assert 'torch' not in sys.modules, 'torch was loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_name_of_the_package() -> None:
    import grading

    with pytest.raises(AttributeError, match="no attribute 'grade_study'"):
        _ = grading.grade_study  # type: ignore[attr-defined]
    assert Sequence.T2.value == "t2"
