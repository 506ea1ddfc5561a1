"""The clause grammar: order of words, ellipsis, denials and doubts; what can be read in two ways is not read."""

import pytest

from anatomy import Condition, Side
from reporting import check_sentence, parse_report
from reporting.parsing.claims import read_claims
from reporting.types import VerdictStatus
from tests.reporting.factories import make_findings, make_grade

CANAL, FORAMEN = Condition.SPINAL_CANAL_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING
RECESS, NARROWING = Condition.SUBARTICULAR_STENOSIS, Condition.DISC_NARROWING
BULGE, HERNIATION, SLIP = Condition.DISC_BULGING, Condition.DISC_HERNIATION, Condition.SPONDYLOLISTHESIS
UPPER, CORD, MODIC = Condition.UPPER_ENDPLATE_CHANGE, Condition.CORD_COMPRESSION, Condition.MODIC
L, R = Side.LEFT, Side.RIGHT

Row = tuple[str | None, Side | None, Condition, str | None, bool, bool]


def said(
    condition: Condition, level: str | None = None, grade: str | None = None, side: Side | None = None
) -> Row:
    return (level, side, condition, grade, False, False)


def denied(condition: Condition, level: str | None = None, side: Side | None = None) -> Row:
    return (level, side, condition, None, True, False)


def doubted(condition: Condition, level: str | None = None) -> Row:
    return (level, None, condition, None, False, True)


def rows(text: str) -> set[Row]:
    return {
        (fact.level, fact.side, fact.condition, fact.grade, fact.negated, fact.uncertain)
        for fact in parse_report(text)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The canal is not adequate at L4-L5.", {said(CANAL, "L4-L5")}),
        ("The upper endplate is not irregular at L2-L3.", {denied(UPPER, "L2-L3")}),
        ("The right neural foramen is not patent at L4-L5.", {said(FORAMEN, "L4-L5", None, R)}),
        ("Spondylolisthesis is absent at L5-S1.", {denied(SLIP, "L5-S1")}),
        ("Disc bulge and herniation are absent at L4-L5.", {denied(BULGE, "L4-L5"), denied(HERNIATION, "L4-L5")}),
        ("L3-L4: the canal and disc height are normal.", {denied(CANAL, "L3-L4"), denied(NARROWING, "L3-L4")}),
        ("Normal disc height at L3-L4.", {denied(NARROWING, "L3-L4")}),
        ("Neither disc bulge nor herniation at L5-S1.", {denied(BULGE, "L5-S1"), denied(HERNIATION, "L5-S1")}),
        ("L5-S1: disc bulge without herniation.", {said(BULGE, "L5-S1"), denied(HERNIATION, "L5-S1")}),
    ],
)
def test_denials(text: str, expected: set[Row]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Both L5-S1 neural foramina are severely narrowed.",
            {said(FORAMEN, "L5-S1", "severe", L), said(FORAMEN, "L5-S1", "severe", R)},
        ),
        ("The right C4-C5 neural foramen is moderately narrowed.", {said(FORAMEN, "C4-C5", "moderate", R)}),
        (
            "Lateral recess stenosis at L4-L5, severe on the left and moderate on the right.",
            {said(RECESS, "L4-L5", "severe", L), said(RECESS, "L4-L5", "moderate", R)},
        ),
        (
            "Moderate canal stenosis at L3-L4, severe at L4-L5.",
            {said(CANAL, "L3-L4", "moderate"), said(CANAL, "L4-L5", "severe")},
        ),
        (
            "Modic type 1 change at L2-L3 and type 2 at L3-L4.",
            {said(MODIC, "L2-L3", "1"), said(MODIC, "L3-L4", "2")},
        ),
        (
            "L4-5: severe LT foraminal and severe RT lateral recess stenosis.",
            {said(FORAMEN, "L4-L5", "severe", L), said(RECESS, "L4-L5", "severe", R)},
        ),
        (
            "The left lateral recess at L5-S1 is moderately narrowed while the right is clear.",
            {said(RECESS, "L5-S1", "moderate", L), denied(RECESS, "L5-S1", R)},
        ),
        (
            "L5-S1 foramina: moderate left, no significant right narrowing.",
            {said(FORAMEN, "L5-S1", "moderate", L), denied(FORAMEN, "L5-S1", R)},
        ),
        (
            "Left foraminal stenosis at L4-L5 (severe) and L5-S1 (moderate).",
            {said(FORAMEN, "L4-L5", "severe", L), said(FORAMEN, "L5-S1", "moderate", L)},
        ),
        ("L5 has slipped forward on S1.", {said(SLIP, "L5-S1")}),
    ],
)
def test_order_and_ellipsis(text: str, expected: set[Row]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L4-L5: disc bulge causing severe canal stenosis.",
         {said(BULGE, "L4-L5"), said(CANAL, "L4-L5", "severe")}),
        ("Severe canal stenosis at L4-L5 due to a disc bulge.",
         {said(BULGE, "L4-L5"), said(CANAL, "L4-L5", "severe")}),
        ("The L5-S1 herniation does not narrow the canal.", {said(HERNIATION, "L5-S1"), denied(CANAL, "L5-S1")}),
        ("On the left, the L4-L5 foramen is severely narrowed.", {said(FORAMEN, "L4-L5", "severe", L)}),
        ("Moderate left and no right foraminal stenosis at L4-L5.",
         {said(FORAMEN, "L4-L5", "moderate", L), denied(FORAMEN, "L4-L5", R)}),
        ("L3-L4 is free of disc bulge and canal stenosis.", {denied(BULGE, "L3-L4"), denied(CANAL, "L3-L4")}),
        ("The L4-L5 disc has lost height.", {said(NARROWING, "L4-L5")}),
        ("L4-L5 is normally aligned.", {denied(SLIP, "L4-L5")}),
        ("L5-S1: fatty endplate change, Modic type 2.", {said(MODIC, "L5-S1", "2")}),
        ("Canal and foramina: no narrowing at L3-L4.", {denied(CANAL, "L3-L4"), denied(FORAMEN, "L3-L4")}),
        ("Patent canal and foramina at L3-L4.", {denied(CANAL, "L3-L4"), denied(FORAMEN, "L3-L4")}),
    ],
)  # fmt: skip
def test_free_wording(text: str, expected: set[Row]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "L4-L5: disc bulge may be present.",
        "L4-L5: suspected disc bulge.",
        "Equivocal disc bulge at L4-L5.",
        "A disc bulge at L4-L5 cannot be excluded.",
    ],
)
def test_doubts(text: str) -> None:
    assert rows(text) == {doubted(BULGE, "L4-L5")}


@pytest.mark.parametrize(
    "text",
    [
        "No disc bulge, canal stenosis at L4-L5.",
        "Possible disc bulge and herniation at L4-L5.",
        "Severe mild canal stenosis at L4-L5.",
        "L4-L5: disc bulge, not.",
        "The slip at L5-S1 is - 7.8 mm.",
        "Severe canal stenosis at L4-L5 causing the disc bulge.",
        "No disc bulge at L4-L5 causing canal stenosis.",
        "Disc bulge at L4-L5 causing canal stenosis at L5-S1.",
        "The left foramen measures 8 mm in AP diameter at L4-L5.",
        "Unilateral foraminal stenosis at L4-L5.",
        "The normal L4-L5 disc is bulging.",
        "The canal is small and the foramina are patent at L4-L5.",
        "No disc degeneration: L3-L4 grade II, L4-L5 grade IV.",
        "Stenosis of the canal is not spared at L4-L5.",
        "Disc bulge at L4-L5 with a fracture.",
        "No.",
        "",
    ],
)
def test_what_has_two_readings_or_unknown_words_is_not_read(text: str) -> None:
    assert read_claims(text) is None


def test_a_step_in_brackets_is_not_hidden_by_a_denial() -> None:
    reading = read_claims("The cord is not compressed at C5-C6 (Kang grade 2).")
    assert reading is not None
    assert {(claim.condition, claim.grade, claim.negated) for claim in reading.claims} == {
        (CORD, None, True),
        (CORD, "2", False),
    }


def test_a_level_between_two_places_is_claimed_of_both() -> None:
    reading = read_claims("Canal stenosis at L3-L4, disc herniation and disc bulge at L5-S1.")
    assert reading is not None
    assert {claim.condition: claim.levels for claim in reading.claims}[HERNIATION] == ("L3-L4", "L5-S1")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("L4-L5: unremarkable.", VerdictStatus.CONTRADICTED),
        ("L3-L4: unremarkable.", VerdictStatus.SUPPORTED),
        ("L1-L2: unremarkable.", VerdictStatus.UNSUPPORTED),
        ("Severe canal stenosis at L4-L5 only.", VerdictStatus.SUPPORTED),
        ("Canal stenosis at L5-S1 only.", VerdictStatus.UNSUPPORTED),
        ("Canal stenosis is worst at L4-L5.", VerdictStatus.SUPPORTED),
        ("Canal stenosis is worst at L5-S1.", VerdictStatus.UNSUPPORTED),
        ("Moderate canal stenosis at L5-S1, the canal otherwise patent.", VerdictStatus.CONTRADICTED),
        ("Canal stenosis is moderate at L5-S1 and severe at L4-L5, the canal otherwise patent.",
         VerdictStatus.SUPPORTED),
        ("The canal is patent throughout.", VerdictStatus.CONTRADICTED),
        ("Anterolisthesis of L4 on L5.", VerdictStatus.UNSUPPORTED),
        ("No canal stenosis above L4-L5.", VerdictStatus.SUPPORTED),
        ("No canal stenosis above L5-S1.", VerdictStatus.CONTRADICTED),
        ("Canal stenosis at L4-L5 and below.", VerdictStatus.SUPPORTED),
        ("Canal stenosis at L3-L4 and below.", VerdictStatus.CONTRADICTED),
        ("Canal stenosis at all levels except L3-L4.", VerdictStatus.SUPPORTED),
        ("Canal stenosis at all levels except L4-L5.", VerdictStatus.CONTRADICTED),
        ("No spondylolisthesis other than at L4-L5.", VerdictStatus.CONTRADICTED),
        ("The canal is narrowest at L4-L5.", VerdictStatus.SUPPORTED),
        ("Severe stenosis at L4-L5.", VerdictStatus.SUPPORTED),
        ("No stenosis at L5-S1.", VerdictStatus.CONTRADICTED),
    ],
)  # fmt: skip
def test_words_on_all_levels_are_checked(text: str, status: VerdictStatus) -> None:
    findings = make_findings(
        make_grade(CANAL, ("normal_mild",), level="L3-L4"),
        make_grade(CANAL, ("severe",), level="L4-L5"),
        make_grade(CANAL, ("moderate",), level="L5-S1"),
        make_grade(SLIP, ("present",), level="L4-L5"),
    )
    assert check_sentence(text, findings).status is status
