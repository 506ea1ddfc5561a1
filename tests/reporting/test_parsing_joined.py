"""What joined words share and what they do not: sides, levels, and levels that trail a sentence."""

import pytest

from anatomy import Condition, Side
from reporting import parse_report, split_sentences

BULGE, HERNIA = Condition.DISC_BULGING, Condition.DISC_HERNIATION
SAC, FORAMEN = Condition.THECAL_SAC_COMPRESSION, Condition.NEURAL_FORAMINAL_NARROWING
CANAL, RECESS = Condition.SPINAL_CANAL_STENOSIS, Condition.SUBARTICULAR_STENOSIS
ROOT = Condition.NERVE_ROOT_COMPRESSION
L, R = Side.LEFT, Side.RIGHT

Row = tuple[str | None, Side | None, Condition]


def rows(text: str) -> set[Row]:
    return {(fact.level, fact.side, fact.condition) for fact in parse_report(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L4-L5: compressing Lt thecal sac and exit nerve root", {(L, SAC), (L, FORAMEN)}),
        ("L4-L5: compressing (Rt) thecal sac and exit nerve root", {(R, SAC), (R, FORAMEN)}),
        ("L4-L5: compressing (Rt) thecal sac", {(R, SAC)}),
        ("L4-L5: compressing the thecal sac and Rt exit canal", {(None, SAC), (R, FORAMEN)}),
        ("L4-L5: compressing the left nerve root and thecal sac", {(L, ROOT), (None, SAC)}),
        ("L4-L5: compressing the left lateral recess and the exit nerve root", {(L, RECESS), (None, FORAMEN)}),
        ("L4-L5: compressing Lt thecal sac and exit nerve roots", {(L, SAC), (None, FORAMEN)}),
        ("L4-L5: left foraminal narrowing and canal stenosis", {(L, FORAMEN), (None, CANAL)}),
        ("L4-L5: foraminal narrowing (left) and canal stenosis", {(L, FORAMEN), (None, CANAL)}),
        ("L4-L5: Lt paracentral disc protrusion & sequestration", {(L, HERNIA)}),
        ("L4-L5: left paracentral disc protrusion and disc bulge", {(L, HERNIA), (None, BULGE)}),
        ("L4-L5: left protrusion and right extrusion", {(L, HERNIA), (R, HERNIA)}),
    ],
)
def test_a_side_before_joined_words(text: str, expected: set[tuple[Side | None, Condition]]) -> None:
    assert rows(text) == {("L4-L5", side, condition) for side, condition in expected}


def test_a_level_behind_associated_is_not_that_of_what_stands_before() -> None:
    text = (
        "Disc bulges at L3/L4 & L4/L5, encroaching exit canal, associated with ligamentum flavum hypertrophy "
        "at L4/L5 level with spinal canal stenosis"
    )
    assert rows(text) == {
        ("L3-L4", None, BULGE),
        ("L4-L5", None, BULGE),
        ("L3-L4", None, FORAMEN),
        ("L4-L5", None, FORAMEN),
        ("L4-L5", None, CANAL),
    }


def test_levels_alone_at_the_end_of_a_line_belong_to_the_sentence_before() -> None:
    assert rows("Disc bulges indenting the thecal sac.- L3-L4 & L4-L5.") == {
        (level, None, condition) for level in ("L3-L4", "L4-L5") for condition in (BULGE, SAC)
    }


@pytest.mark.parametrize("text", ["Bulge at L4-L5. L5-S1.", "Disc bulges. L3-L4:", "L3-L4", "Disc bulges.\nL3-L4"])
def test_other_levels_alone_stay_apart(text: str) -> None:
    assert split_sentences(text)[-1].split()[0].startswith("L")


def test_detached_disc_material_is_sequestration() -> None:
    (fact,) = parse_report("L4-L5: soft tissue, probably detached disc material")
    assert (fact.level, fact.condition, fact.uncertain) == ("L4-L5", HERNIA, True)
