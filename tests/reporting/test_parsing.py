"""Report text to facts, rule by rule of LANGUAGE.md, in the spelling of real notes."""

import pytest

from anatomy import Condition, Side
from reporting import parse_measurements, parse_report, split_sentences
from reporting.parsing import read_sentence

BULGE, HERNIA = Condition.DISC_BULGING, Condition.DISC_HERNIATION
SAC, FORAMEN = Condition.THECAL_SAC_COMPRESSION, Condition.NEURAL_FORAMINAL_NARROWING
ROOT, CANAL = Condition.NERVE_ROOT_COMPRESSION, Condition.SPINAL_CANAL_STENOSIS
RECESS, DEGENERATION = Condition.SUBARTICULAR_STENOSIS, Condition.DISC_DEGENERATION
NARROWING, SLIP, MODIC = Condition.DISC_NARROWING, Condition.SPONDYLOLISTHESIS, Condition.MODIC
TEAR, CORD = Condition.ANNULAR_TEAR, Condition.CORD_COMPRESSION
UPPER, LOWER = Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE
SACROILIITIS = Condition.SACROILIITIS
L, R = Side.LEFT, Side.RIGHT

Row = tuple[str | None, Side | None, Condition, str | None]


def rows(text: str, *, negated: bool = False, uncertain: bool = False) -> list[Row]:
    """Return (level, side, condition, grade) of the facts with the given flags."""
    facts = parse_report(text)
    return [
        (f.level, f.side, f.condition, f.grade) for f in facts if f.negated == negated and f.uncertain == uncertain
    ]


def one(level: str | None, condition: Condition, grade: str | None = None, side: Side | None = None) -> Row:
    return (level, side, condition, grade)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("diffuse disc bulge at L4-L5", BULGE),
        ("wide-base disc bulges at L4-L5", BULGE),
        ("L4-L5 bulging disc", BULGE),
        ("Difffuse disc bulg noted at L4/L5", BULGE),
        ("disc protrusion at L4-L5", HERNIA),
        ("central disc protruion at L4-L5", HERNIA),
        ("disc prolapse at L4-L5", HERNIA),
        ("disc extrusion at L4-L5", HERNIA),
        ("sequestrated disc fragment at L4-L5", HERNIA),
        ("herniated disc at L4-L5", HERNIA),
        ("neural foramen narrowed at L4-L5", FORAMEN),
        ("encroaching exit neural canals at L4-L5", FORAMEN),
        ("compressing the exiting nerve root at L4-L5", FORAMEN),
        ("encroaching upon the exit nerve roots at L4-L5", FORAMEN),
        ("lateral recess narrowing at L4-L5", RECESS),
        ("narrowing of the subarticular zone at L4-L5", RECESS),
        ("compressing the traversing nerve root in the recess at L4-L5", RECESS),
        ("compressing S1 nerve root within lateral recess at L4-L5", RECESS),
        ("compressing L4 nerve root within neural foramen at L4-L5", FORAMEN),
        ("spinal canal stenosis at L4-L5", CANAL),
        ("narrow spinal canal at L4-L5", CANAL),
        ("the spinal canal appears narrowed at L4-L5", CANAL),
        ("secondary spinal stenosis at L4-L5", CANAL),
        ("indenting the thecal sac at L4-L5", SAC),
        ("abutting the thercal sac at L4-L5", SAC),
        ("effacement of the thecal sac at L4-L5", SAC),
        ("dehydrated L4-L5 disc", DEGENERATION),
        ("dissicating disc material at L4-L5", DEGENERATION),
        ("degenerated disc at L4-L5", DEGENERATION),
        ("low T2 signal of the disc at L4-L5", DEGENERATION),
        ("reduced disc height at L4-L5", NARROWING),
        ("narrowed disc space at L4-L5", NARROWING),
        ("disc space narrowing at L4-L5", NARROWING),
        ("Narrowed L4-L5 level", NARROWING),
        ("annular tear at L4-L5", TEAR),
        ("high-intensity zone at L4-L5", TEAR),
        ("torn annulus at L4-L5", TEAR),
        ("Modic type change at L4-L5", MODIC),
        ("endplate marrow signal change at L4-L5", MODIC),
        ("upper endplate irregularity at L4-L5", UPPER),
        ("Schmorl's node of the inferior endplate at L4-L5", LOWER),
        ("anterolisthesis at L4-L5", SLIP),
        ("retrolisthesis at L4-L5", SLIP),
        ("spondylolithesis at L4-L5", SLIP),
        ("compressing the nerve root at L4-L5", ROOT),
        ("cord compression at L4-L5", CORD),
        ("indenting spinal cord at L4-L5", CORD),
    ],
)
def test_words_of_conditions(text: str, condition: Condition) -> None:
    assert rows(text) == [one("L4-L5", condition)]


@pytest.mark.parametrize(
    "text",
    [
        "Feature of muscle spasm.",
        "Degenerative spondylotic changes noted.",
        "Wedging fracture of L2 vertebral body.",
        "Tarlov cyst at S2 level",
        "Ligamentum flavum hypertrophy at L4-L5.",
        "Extending to the lateral recess at L4-L5.",
        "Schmorl nodes noted.",
        "The S1 nerve root is seen.",
        "T1/T2 signal of the marrow is normal.",
        "",
        "\n\n  \t ",
        "...,,,;;;",
    ],
)
def test_what_is_no_fact(text: str) -> None:
    assert parse_report(text) == []


def test_bulge_and_protrusion_are_two_facts() -> None:
    text = "Diffuse disc bulge, with Rt foraminal disc protrusion noted at L2/L3 level"
    assert rows(text) == [one("L2-L3", BULGE), one("L2-L3", HERNIA, side=R)]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("disc bulge at L4/5", ["L4-L5"]),
        ("disc bulge at D12/L1", ["T12-L1"]),
        ("disc bulge at T12 - L1", ["T12-L1"]),
        ("disc bulge at L4_L5 level", ["L4-L5"]),
        ("disc bulge at L5/S1level", ["L5-S1"]),
        ("disc bulges at L3-L4 and L5-S1 levels", ["L3-L4", "L5-S1"]),
        ("disc bulges at L2/L3,L3/L4&L4/5", ["L2-L3", "L3-L4", "L4-L5"]),
        ("disc bulges from L3-L4 through L5-S1", ["L3-L4", "L4-L5", "L5-S1"]),
        ("disc bulges (L3-S1)", ["L3-L4", "L4-L5", "L5-S1"]),
        ("disc bulges, L3 to L5", ["L3-L4", "L4-L5"]),
        ("L3-L4, L4-L5:\nDisc bulges noted", ["L3-L4", "L4-L5"]),
        ("multilevel disc bulges noted mainly at L3/L4 level", ["L3-L4"]),
        ("multilevel disc bulges", [None]),
        ("disc bulges at lower lumbar levels", [None]),
        ("disc bulge compressing the left L5 nerve root", [None, None]),
        ("disc bulge at C5/C6", ["C5-C6"]),
        ("disc bulge at C7-T1", ["C7-T1"]),
    ],
)
def test_levels(text: str, levels: list[str | None]) -> None:
    assert [fact.level for fact in parse_report(text)] == levels


def test_slip_of_one_vertebra_over_the_next_names_the_disc() -> None:
    assert rows("Grade I spondylolisthesis of L5 over S1, with narrowed disc space") == [
        one("L5-S1", SLIP, "I"),
        one("L5-S1", NARROWING),
    ]


def test_clauses_carry_the_last_level_until_a_new_one() -> None:
    text = "L4-L5: disc bulge. Mildly compressing the thecal sac.\nL5-S1: disc protrusion. Annular tear."
    assert rows(text) == [
        one("L4-L5", BULGE),
        one("L4-L5", SAC, "mild"),
        one("L5-S1", HERNIA),
        one("L5-S1", TEAR),
    ]


def test_unnamed_levels_and_headings_end_the_carrying() -> None:
    assert rows("Disc bulge at L4-L5. Multilevel annular tears.") == [one("L4-L5", BULGE), one(None, TEAR)]
    assert rows("Disc bulge at L4-L5.\nIMPRESSION:\nAnnular tear.") == [one("L4-L5", BULGE), one(None, TEAR)]
    assert rows("No disc herniation at other levels.\nDisc bulge.") == [one(None, BULGE)]


def test_each_mention_takes_its_own_level() -> None:
    text = "Disc bulges at L3-L4 and L4-L5, abutting the sac, with annular tear at L5-S1"
    assert rows(text) == [
        one("L3-L4", BULGE),
        one("L4-L5", BULGE),
        one("L3-L4", SAC),
        one("L4-L5", SAC),
        one("L5-S1", TEAR),
    ]
    assert rows("L4-L5: disc bulge, L5-S1: disc protrusion") == [one("L4-L5", BULGE), one("L5-S1", HERNIA)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rt paracentral disc protrusion at L4-L5", [one("L4-L5", HERNIA, side=R)]),
        ("Central and to the Rt side, disc protrusion at L4-L5", [one("L4-L5", HERNIA, side=R)]),
        (
            "compressing both exit nerve roots at L4-L5",
            [one("L4-L5", FORAMEN, side=L), one("L4-L5", FORAMEN, side=R)],
        ),
        (
            "bilateral neural foraminal narrowing at L4-L5",
            [one("L4-L5", FORAMEN, side=L), one("L4-L5", FORAMEN, side=R)],
        ),
        ("neural foraminal narrowing on the left at L4-L5", [one("L4-L5", FORAMEN, side=L)]),
        ("encroaching Rt S1 exit nerve root at L5-S1", [one("L5-S1", FORAMEN, side=R)]),
        (
            "moderate left and severe right neural foraminal narrowing at L4-L5",
            [one("L4-L5", FORAMEN, "moderate", L), one("L4-L5", FORAMEN, "severe", R)],
        ),
        ("encroaching exit neural canals, more to the Rt sided at L4-L5", [one("L4-L5", FORAMEN)]),
    ],
)
def test_sides(text: str, expected: list[Row]) -> None:
    assert rows(text) == expected


def test_a_leaning_bulge_has_a_side_only_when_one_canal_is_named() -> None:
    one_canal = (
        "Diffuse disc bulge noted at L5-S1 level, more to the Lt side, compressing the sac and Lt exit canal."
    )
    assert rows(one_canal)[0] == one("L5-S1", BULGE, side=L)
    both = "Diffuse disc bulge noted at L5-S1 level, more to the Lt side, compressing the sac and exit canals."
    assert rows(both)[0] == one("L5-S1", BULGE)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("No significant thecal sac or nerve root compression noted.", [SAC, ROOT]),
        ("No thecal sac or exit nerve root compression", [SAC, FORAMEN]),
        ("No disc bulge, protrusion or canal stenosis.", [BULGE, HERNIA, CANAL]),
        ("There is no disc herniation.", [HERNIA]),
        ("Disc herniation is not seen.", [HERNIA]),
        ("No disc herniation or disc bulge is seen.", [HERNIA, BULGE]),
        ("without nerve root compression", [ROOT]),
        ("Adequate spinal canal.", [CANAL]),
        ("The spinal canal is still adequate.", [CANAL]),
        ("Adequate the spinal canal", [CANAL]),
        ("Adequate thecal sac", [SAC]),
        ("The neural foramina are patent.", [FORAMEN]),
        ("adequate spinal canal with no significant thecal sac or nerve root compression", [CANAL, SAC, ROOT]),
        ("No endplate change.", [UPPER, LOWER]),
        ("Free of disc herniation", [HERNIA]),
    ],
)
def test_negation(text: str, conditions: list[Condition]) -> None:
    assert [row[2] for row in rows(text, negated=True)] == conditions
    assert rows(text) == []


@pytest.mark.parametrize(
    ("text", "denied", "stated"),
    [
        ("No disc herniation and mild canal stenosis", [HERNIA], [CANAL]),
        ("No disc herniation, mild disc bulge noted", [HERNIA], [BULGE]),
        ("No herniation but a disc bulge", [HERNIA], [BULGE]),
        ("indenting thecal sac but not causing nerve root compression", [ROOT], [SAC]),
        ("Disc bulge with no canal stenosis", [CANAL], [BULGE]),
        ("No disc herniation; disc bulge at L4-L5", [HERNIA], [BULGE]),
        ("Not only a disc bulge", [], [BULGE]),
    ],
)
def test_negation_ends(text: str, denied: list[Condition], stated: list[Condition]) -> None:
    assert [row[2] for row in rows(text, negated=True)] == denied
    assert [row[2] for row in rows(text)] == stated


@pytest.mark.parametrize(
    "text",
    [
        "Possible disc herniation",
        "Disc herniation is suspected",
        "Probably represents disc herniation",
        "Disc herniation cannot be excluded",
        "Suspicious for disc herniation",
        "Cannot exclude disc herniation",
        "Disc herniation ?",
    ],
)
def test_hedges(text: str) -> None:
    assert [row[2] for row in rows(text, uncertain=True)] == [HERNIA]
    assert rows(text) == rows(text, negated=True) == []


def test_a_hedge_stays_with_its_own_phrase() -> None:
    text = "Spinal canal stenosis and possible disc herniation at L4-L5"
    assert rows(text) == [one("L4-L5", CANAL)]
    assert rows(text, uncertain=True) == [one("L4-L5", HERNIA)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mild disc bulge", one(None, BULGE, "mild")),
        ("mild, diffuse disc bulge", one(None, BULGE, "mild")),
        ("mild to moderate canal stenosis", one(None, CANAL, "mild|moderate")),
        ("moderate-to-severe canal stenosis", one(None, CANAL, "moderate|severe")),
        ("canal stenosis, severe", one(None, CANAL, "severe")),
        ("canal stenosis is severe", one(None, CANAL, "severe")),
        ("the spinal canal is severely narrowed", one(None, CANAL, "severe")),
        ("severe narrowing of the spinal canal", one(None, CANAL, "severe")),
        ("mildy compressing the thecal sac", one(None, SAC, "mild")),
        ("largely compressing the thecal sac", one(None, SAC)),
        ("significantly compressing the thecal sac", one(None, SAC)),
        ("Pfirrmann grade IV", one(None, DEGENERATION, "IV")),
        ("Pfirrmann grade III or IV disc degeneration", one(None, DEGENERATION, "III|IV")),
        ("disc degeneration (Pfirrmann III-IV)", one(None, DEGENERATION, "III|IV")),
        ("Pfirrmann grades II to IV", one(None, DEGENERATION, "II|III|IV")),
        ("Pfirrmann 4 disc", one(None, DEGENERATION, "IV")),
        ("Modic type II", one(None, MODIC, "2")),
        ("modec type 1 endplate change", one(None, MODIC, "1")),
        ("Grade II spondylolithesis", one(None, SLIP, "II")),
        ("spondylolisthesis grade 1", one(None, SLIP, "I")),
        ("Meyerding grade I spondylolisthesis", one(None, SLIP, "I")),
        ("Kang grade 2 cord compression", one(None, CORD, "2")),
        ("canal stenosis (Schizas grade C)", one(None, CANAL, "C")),
        ("Lee grade 2 foraminal narrowing", one(None, FORAMEN, "2")),
    ],
)
def test_grades(text: str, expected: Row) -> None:
    assert rows(text) == [expected]


def test_grade_belongs_to_its_action_only() -> None:
    text = "disc bulge at L4-L5, mildly compressing the thecal sac and encroaching exit nerve roots"
    assert rows(text) == [one("L4-L5", BULGE), one("L4-L5", SAC, "mild"), one("L4-L5", FORAMEN)]


def test_sacroiliac_joints() -> None:
    assert rows("Lt sided sacroiliitis") == [one(None, SACROILIITIS, side=L)]
    assert rows("erosion of the right sacroiliac joint") == [one("SIJ", SACROILIITIS, side=R)]
    assert rows("early left sacroiliitis") == [one(None, SACROILIITIS, "early", L)]
    assert rows("No sacroiliitis", negated=True) == [one(None, SACROILIITIS)]


def test_one_fact_per_level_side_and_condition() -> None:
    facts = parse_report("L4-L5: disc bulge. Mild disc bulge.")
    assert [(fact.level, fact.grade, fact.negated) for fact in facts] == [("L4-L5", "mild", False)]


def test_a_report_that_contradicts_itself_shows_both_facts() -> None:
    facts = parse_report("L4-L5: disc bulge. L5-S1: no disc bulge. No disc bulge at L4-L5.")
    assert [(fact.level, fact.negated, fact.sentence) for fact in facts] == [
        ("L4-L5", False, "L4-L5: disc bulge."),
        ("L5-S1", True, "L5-S1: no disc bulge."),
        ("L4-L5", True, "No disc bulge at L4-L5."),
    ]


def test_not_assessable_is_no_fact() -> None:
    for text in (
        "Modic change could not be assessed at L4-L5.",
        "Not assessable: Modic change at L4-L5 (no T1 series).",
        "Spinal canal stenosis is not assessable.",
    ):
        assert parse_report(text) == []
        assert read_sentence(text).not_assessed


def test_the_sentence_is_kept_as_written() -> None:
    (fact,) = parse_report("Intro.  L4-L5:  disc   BULGE noted.")
    assert fact.sentence == "L4-L5: disc BULGE noted."


def test_sentences() -> None:
    assert split_sentences("C. SPINE MRI. One at L4-L5. Two is 9.8 mm.Three // four\nfive") == [
        "C. SPINE MRI.",
        "One at L4-L5.",
        "Two is 9.8 mm.",
        "Three",
        "four",
        "five",
    ]
    assert split_sentences("Pfirrmann grade V. No disc bulge.") == ["Pfirrmann grade V.", "No disc bulge."]
    assert split_sentences("compressing\nthecal sac") == ["compressing thecal sac"]


@pytest.mark.parametrize(
    ("text", "name", "value", "unit"),
    [
        ("L4-L5: severe canal stenosis (canal AP diameter 9.8 mm)", "canal_ap_diameter", 9.8, "mm"),
        ("L4-L5: AP diameter of the spinal canal measures 11 mm", "canal_ap_diameter", 11.0, "mm"),
        ("L4-L5: disc height of 7.25 mm", "disc_height", 7.25, "mm"),
        ("L4-L5: disc height index 0.31", "disc_height_index", 0.31, "1"),
        ("L4-L5: posterior disc height index 0.22", "disc_height_index_posterior", 0.22, "1"),
        ("L4-L5: spondylolisthesis (slip 4.1 mm)", "listhesis", 4.1, "mm"),
    ],
)
def test_measurements(text: str, name: str, value: float, unit: str) -> None:
    (item,) = parse_measurements(text)
    assert (item.name, item.level, item.value, item.unit) == (name, "L4-L5", value, unit)


def test_a_value_is_no_narrowing() -> None:
    assert parse_report("L4-L5: disc height 7.2 mm") == []
    assert rows("L4-L5: loss of disc height (disc height 7.2 mm)") == [one("L4-L5", NARROWING)]
