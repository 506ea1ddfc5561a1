"""The grammar says every grade of a level, and the parser reads the same facts back whatever the wording."""

from random import Random

import pytest

from anatomy import Condition, Side
from grading.types import Findings, GradeStatus
from reporting import compose_level, facts_of, parse_report, vary
from reporting.grammar import join_items
from reporting.phrases import load_phrases, load_styles
from reporting.types import Fact
from runtime.errors import ConfigError
from tests.reporting.factories import (
    CERVICAL,
    make_findings,
    make_grade,
    make_measurement,
    random_findings,
    random_grade,
)

STYLES = ("structured", "telegraphic", "narrative", "patient")
Key = tuple[str | None, Side | None, Condition, str | None, bool, bool]


def key(fact: Fact) -> Key:
    return (fact.level, fact.side, fact.condition, fact.grade, fact.negated, fact.uncertain)


def read_back(findings: Findings, level: str | None, style: str, rng: Random | None) -> set[Key]:
    text = " ".join(item.text for item in compose_level(findings, level, style=style, rng=rng))
    return {key(fact) for fact in parse_report(text)}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sided", [False, True])
def test_parser_reads_back_exactly_what_was_said(style: str, sided: bool) -> None:
    checked = 0
    for seed in range(12):
        findings = random_findings(Random(seed), sided=sided)
        for level in dict.fromkeys(grade.level for grade in findings.grades):
            expected = {key(fact) for fact in facts_of(findings, level)}
            for rng in (None, Random(seed), Random(seed + 1000)):
                assert read_back(findings, level, style, rng) == expected
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("style", STYLES)
def test_cord_and_cervical_levels_read_back(style: str) -> None:
    for seed in range(30):
        rng = Random(seed)
        level = rng.choice(CERVICAL)
        scale = rng.choice(("kang", "presence"))
        findings = make_findings(random_grade(rng, Condition.CORD_COMPRESSION, level, None, scale))
        expected = {key(fact) for fact in facts_of(findings, level)}
        assert read_back(findings, level, style, Random(seed)) == expected


@pytest.mark.parametrize("style", STYLES)
def test_sacroiliac_joints_read_back(style: str) -> None:
    for seed in range(30):
        rng = Random(seed)
        grades = [random_grade(rng, Condition.SACROILIITIS, "SIJ", side, "as_stage") for side in Side]
        findings = make_findings(*grades)
        got = {(side, condition, grade, negated, unsure) for _, side, condition, grade, negated, unsure in
               read_back(findings, "SIJ", style, Random(seed))}  # fmt: skip
        assert got == {key(fact)[1:] for fact in facts_of(findings)}


def test_structured_wording_is_fixed() -> None:
    findings = make_findings(
        make_grade(Condition.DISC_DEGENERATION, ("III", "IV")),
        make_grade(Condition.DISC_BULGING, ("present",)),
        make_grade(Condition.DISC_HERNIATION, ("absent", "present")),
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("severe",)),
        make_grade(Condition.MODIC, ("0",)),
        make_grade(Condition.UPPER_ENDPLATE_CHANGE, ("absent",)),
        make_grade(Condition.LOWER_ENDPLATE_CHANGE, ("absent",)),
        measurements=(make_measurement("canal_ap_diameter", 9.84),),
    )
    assert [item.text for item in compose_level(findings, "L4-L5")] == [
        "L4-L5: Pfirrmann grade III or IV disc degeneration, a disc bulge and a possible disc herniation.",
        "Severe spinal canal stenosis (canal AP diameter 9.8 mm).",
        "No Modic change or endplate change.",
    ]


def test_two_sides_are_said_together() -> None:
    narrowing = Condition.NEURAL_FORAMINAL_NARROWING
    findings = make_findings(
        make_grade(narrowing, ("moderate",), side=Side.LEFT), make_grade(narrowing, ("severe",), side=Side.RIGHT)
    )
    (sentence,) = compose_level(findings, "L4-L5")
    assert sentence.text == "L4-L5: Moderate left and severe right neural foraminal narrowing."
    assert {(fact.side, fact.grade) for fact in parse_report(sentence.text)} == {
        (Side.LEFT, "moderate"),
        (Side.RIGHT, "severe"),
    }


def test_every_sentence_carries_the_ids_it_states() -> None:
    findings = random_findings(Random(5))
    for level in dict.fromkeys(grade.level for grade in findings.grades):
        stated = {item for sentence in compose_level(findings, level) for item in sentence.finding_ids}
        graded = {g.id for g in findings.grades_at(level) if g.status is GradeStatus.GRADED}
        assert graded <= stated
        assert stated - graded <= {item.id for item in findings.measurements}


def test_same_seed_same_text_and_styles_differ() -> None:
    findings = random_findings(Random(2))
    level = findings.grades[0].level
    texts = {style: [s.text for s in vary(findings, level, Random(9), style)] for style in STYLES}
    assert texts["narrative"] == [s.text for s in vary(findings, level, Random(9), "narrative")]
    assert len({tuple(item) for item in texts.values()}) == len(STYLES)


def test_unknown_style_names_the_choices() -> None:
    with pytest.raises(ConfigError, match="one of structured, telegraphic, narrative, patient, got 'poetic'"):
        compose_level(random_findings(Random(0)), "L5-S1", style="poetic")


def test_every_condition_that_is_graded_has_phrases_and_a_group() -> None:
    from anatomy import CONDITIONS

    graded = {info.condition for info in CONDITIONS.values() if info.scales}
    assert graded == set(load_phrases().conditions)
    assert graded == {condition for group in load_styles().groups for condition in group}


def test_join_items() -> None:
    assert join_items(["a"]) == "a"
    assert join_items(["a", "b", "c"], " or ") == "a, b or c"
