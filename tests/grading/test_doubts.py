"""A grade and its check: which one is reported, when they disagree, and what phantoms taught."""

from dataclasses import replace

from anatomy import Condition, Side
from grading.doubts import both_ways, disagreements, phantom_notices
from grading.findings import not_assessable
from grading.types import Grade, GradeStatus

CANAL = Condition.SPINAL_CANAL_STENOSIS


def _grade(
    step: str, *, condition: Condition = CANAL, side: Side | None = None, ids: tuple[str, ...] = ()
) -> Grade:
    empty = not_assessable("L4-L5", condition, "rsna", "made up", side=side)
    status = GradeStatus.GRADED
    return replace(empty, grade=step, status=status, prediction_set=(step,), measurement_ids=ids)


def test_the_learned_grade_is_reported_and_the_measured_one_its_check() -> None:
    learned, measured = _grade("moderate"), _grade("severe", ids=("m1",))
    grade, check = both_ways([learned], [measured])
    assert (grade.scale, grade.grade, grade.measurement_ids, grade.is_check) == (
        "rsna",
        "moderate",
        ("m1",),
        False,
    )
    assert (check.scale, check.grade, check.is_check) == ("canal_ap", "severe", True)


def _cord(level: str, kang: str, presence: str) -> list[Grade]:
    empty = not_assessable(level, Condition.CORD_COMPRESSION, "kang", "made up")
    graded = replace(empty, status=GradeStatus.GRADED, reason=None)
    return [replace(graded, grade=kang), replace(graded, scale="presence", grade=presence)]


def test_compression_and_kangs_grade_disagree_where_only_one_sees_a_deformed_cord() -> None:
    agree = _cord("C3-C4", "0", "absent") + _cord("C4-C5", "1", "absent") + _cord("C5-C6", "2", "present")
    assert disagreements(agree) == []
    said = disagreements(_cord("C4-C5", "1", "present") + _cord("C6-C7", "3", "absent"))
    assert said == [
        "The two ways of grading cord compression disagree: Kang grade 1 by one, present by the other at C4-C5; "
        "Kang grade 3 by one, absent by the other at C6-C7."
    ]


def test_one_way_alone_is_the_grade() -> None:
    learned, measured = _grade("moderate"), _grade("severe")
    assert both_ways([], [measured]) == [measured]
    assert both_ways([learned], []) == [learned]


def test_a_disagreement_is_said_and_agreement_is_not() -> None:
    apart = both_ways([_grade("moderate")], [replace(_grade("severe"), reason="rule r/1: AP 9.0 mm, below 10 mm")])
    (notice,) = disagreements(apart)
    assert notice == (
        "The two ways of grading spinal canal stenosis disagree: "
        "moderate by its looks, severe by measurement at L4-L5."
    )
    assert disagreements(both_ways([_grade("severe")], [_grade("severe")])) == []
    unknown = not_assessable("L4-L5", CANAL, "rsna", "was not measured")
    assert disagreements(both_ways([_grade("severe")], [unknown])) == []


def test_what_phantoms_taught_is_said_where_it_was_graded() -> None:
    synthetic = {Condition.SUBARTICULAR_STENOSIS, CANAL}
    left = _grade("severe", condition=Condition.SUBARTICULAR_STENOSIS, side=Side.LEFT)
    assert phantom_notices([left, _grade("moderate")], synthetic) == [
        "Grading of subarticular stenosis and spinal canal stenosis was learned from synthetic images only and "
        "needs a radiologist's eye."
    ]
    degenerated = replace(_grade("IV", condition=Condition.DISC_DEGENERATION), scale="pfirrmann")
    assert phantom_notices([degenerated], synthetic) == []
    assert phantom_notices([not_assessable("L4-L5", CANAL, "rsna", "no T2")], synthetic) == []
