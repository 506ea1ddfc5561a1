"""The impression: critical first, ranked by severity, condition and level, whatever the order of the input."""

from dataclasses import replace
from random import Random

import pytest

from anatomy import Condition, Side
from grading.types import Findings
from reporting import compose_impression, verify_draft
from reporting.composer import compose_report
from reporting.phrases import read_template
from reporting.places import level_place
from reporting.ranking import critical_items, headline, ranked_levels
from reporting.statements import severity_weight
from reporting.types import DraftSentence, SentenceStatus
from tests.reporting.factories import (
    CERVICAL,
    make_findings,
    make_grade,
    make_measurement,
    random_findings,
    random_grade,
)

CANAL = Condition.SPINAL_CANAL_STENOSIS
CRITICAL = "Critical: "


def drawn(seed: int) -> Findings:
    """Return random lumbar findings, every third time a neck with a compressed cord here and there."""
    rng = Random(seed)
    if seed % 3:
        return random_findings(rng, sided=bool(seed % 2))
    found = random_findings(rng, sided=True, levels=CERVICAL)
    levels = dict.fromkeys(grade.level for grade in found.grades)
    cord = [random_grade(rng, Condition.CORD_COMPRESSION, level, None, "kang") for level in levels]
    mixed = make_findings(*found.grades, *cord, measurements=found.measurements)
    return replace(mixed, protocol="cervical", levels=found.levels)


def shuffled(findings: Findings, rng: Random) -> Findings:
    """Return the same findings in another order."""
    mixed = {
        name: tuple(rng.sample(items, len(items)))
        for name, items in (
            ("grades", findings.grades),
            ("levels", findings.levels),
            ("measurements", findings.measurements),
        )
    }
    return replace(findings, **mixed)  # type: ignore[arg-type]


def on_findings(lines: list[DraftSentence]) -> list[DraftSentence]:
    """Leave out the lines on the score and the numbering."""
    return [item for item in lines if item.finding_ids and "burden score" not in item.text]


@pytest.mark.parametrize("seed", range(60))
def test_the_order_of_the_input_does_not_matter(seed: int) -> None:
    findings = drawn(seed)
    lines = compose_impression(findings)
    for turn in range(3):
        assert compose_impression(shuffled(findings, Random(turn))) == lines


def test_critical_findings_come_first_and_nothing_is_said_twice() -> None:
    flagged = 0
    for seed in range(60):
        findings = drawn(seed)
        lines = compose_impression(findings)
        marks = [item.text.startswith(CRITICAL) for item in lines]
        assert marks == sorted(marks, reverse=True)
        flagged += sum(marks)
        stated = [key for item in on_findings(lines) for key in item.finding_ids]
        assert len(stated) == len(set(stated))
    assert flagged >= 20


def test_levels_are_ranked_by_their_gravest_finding() -> None:
    priorities = [row["condition"] for row in read_template("impression.yaml")["priorities"]]
    seen = 0
    for seed in range(60):
        findings = drawn(seed)
        keys = []
        for level in ranked_levels(findings):
            worst = headline(findings, level)[0]
            keys.append(
                (-severity_weight(worst.grade), priorities.index(worst.condition.value), level_place(level))
            )
        assert keys == sorted(keys)
        seen += len(keys)
    assert seen >= 100


def test_drawn_impressions_hold_before_the_verifier() -> None:
    for seed in range(24):
        findings = drawn(seed)
        report = verify_draft(compose_report(findings), findings)
        states = {line.status for part in report.sections for line in part.sentences}
        assert states == {SentenceStatus.SUPPORTED}


def test_of_equal_severity_the_condition_decides_then_the_level() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",), level="L1-L2"),
        make_grade(Condition.DISC_HERNIATION, ("present",), level="L5-S1"),
        make_grade(Condition.DISC_HERNIATION, ("present",), level="L3-L4"),
        make_grade(Condition.DISC_BULGING, ("present",), level="L3-L4"),
    )
    lines = [item.text for item in on_findings(compose_impression(findings))]
    assert lines == ["L3-L4: Disc herniation and a disc bulge.", "L5-S1: Disc herniation.", "L1-L2: Disc bulge."]


def test_every_condition_has_a_priority_and_a_reason() -> None:
    rows = read_template("impression.yaml")["priorities"]
    assert sorted(row["condition"] for row in rows) == sorted(item.value for item in Condition)
    assert all(row["why"] for row in rows)


def test_cord_compression_leads_with_its_levels() -> None:
    findings = make_findings(
        make_grade(Condition.NEURAL_FORAMINAL_NARROWING, ("severe",), level="C3-C4", side=Side.LEFT),
        make_grade(Condition.CORD_COMPRESSION, ("2",), level="C5-C6", scale="kang"),
        make_grade(Condition.CORD_COMPRESSION, ("2",), level="C4-C5", scale="kang"),
        make_grade(Condition.CORD_COMPRESSION, ("1",), level="C6-C7", scale="kang"),
        make_grade(Condition.CORD_COMPRESSION, ("3",), level="C7-T1", scale="kang"),
        protocol="cervical",
    )
    lines = [item.text for item in compose_impression(findings)]
    assert lines[:4] == [
        "Critical: cord compression (Kang grade 3) at C7-T1.",
        "Critical: cord compression (Kang grade 2) at C4-C5 and C5-C6.",
        "C3-C4: Severe left neural foraminal narrowing.",
        "C6-C7: Effacement of the subarachnoid space without cord deformity (Kang grade 1).",
    ]


def test_crowding_is_by_the_severe_step_in_the_lumbar_spine_only() -> None:
    severe = make_grade(CANAL, ("severe",), level="L4-L5")
    assert len(critical_items(make_findings(severe))) == 1
    assert critical_items(make_findings(make_grade(CANAL, ("moderate",)))) == []
    assert critical_items(make_findings(replace(severe, level="T12-L1"))) == []
    assert critical_items(make_findings(replace(severe, level="C4-C5"), protocol="cervical")) == []


def test_a_small_sac_is_said_beside_the_grade_and_alone_only_without_one() -> None:
    area = make_measurement("dural_sac_area", 61.7, unit="mm2")
    severe = make_findings(make_grade(CANAL, ("severe",)), measurements=(area,))
    (item,) = critical_items(severe)
    assert item.text == (
        "suspected cauda equina crowding with severe spinal canal stenosis at L4-L5 and dural sac area 62 mm2 at "
        "L4-L5; correlate for cauda equina symptoms"
    )
    assert item.finding_ids == ("g1", "m1")
    assert critical_items(make_findings(make_grade(CANAL, ("normal_mild",)), measurements=(area,))) == []
    ungraded = make_findings(make_grade(Condition.DISC_BULGING, ("absent",)), measurements=(area,))
    assert critical_items(ungraded)[0].finding_ids == ("m1",)
    wide = replace(area, value=75.0)
    assert critical_items(replace(ungraded, measurements=(wide,))) == []
