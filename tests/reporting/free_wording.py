"""Free wording by construction: statements about a small world, the sentences that say them, and what holds there.

A statement is (condition, level, side, steps, denied, doubted). ``sentences`` writes it in each order and form
that the tables below know; it does not look at the world. ``flips`` changes one thing of a statement. ``holds``
tells from the world alone whether a statement is true, so that each sentence has a label that no parser gave.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from anatomy import Condition, Side
from grading.types import Findings
from tests.reporting.factories import make_findings, make_grade, make_measurement

LEVELS = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")
CANAL, FORAMEN, RECESS = (
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.NEURAL_FORAMINAL_NARROWING,
    Condition.SUBARTICULAR_STENOSIS,
)
BULGE, HERNIATION, HEIGHT = Condition.DISC_BULGING, Condition.DISC_HERNIATION, Condition.DISC_NARROWING
SLIP, MODIC, DEGENERATION = Condition.SPONDYLOLISTHESIS, Condition.MODIC, Condition.DISC_DEGENERATION
UPPER = Condition.UPPER_ENDPLATE_CHANGE
L, R = Side.LEFT, Side.RIGHT
NORMAL, OPEN = ("normal_mild",), ("absent", "present")

Place = tuple[Condition, str, Side | None]

WORLD: dict[Place, tuple[str, ...]] = {
    **{(CANAL, level, None): steps for level, steps in zip(
        LEVELS, (NORMAL, ("moderate",), ("severe",), ("moderate", "severe")), strict=True)},
    **{(FORAMEN, level, L): steps for level, steps in zip(
        LEVELS, (NORMAL, ("moderate",), ("severe",), NORMAL), strict=True)},
    **{(FORAMEN, level, R): steps for level, steps in zip(
        LEVELS, (("severe",), NORMAL, ("moderate",), ("moderate", "severe")), strict=True)},
    **{(RECESS, level, L): steps for level, steps in zip(
        LEVELS, (("moderate",), NORMAL, NORMAL, ("severe",)), strict=True)},
    **{(RECESS, level, R): steps for level, steps in zip(
        LEVELS, (NORMAL, ("severe",), NORMAL, ("moderate",)), strict=True)},
    **{(condition, level, None): (("present",) if word == "+" else OPEN if word == "?" else ("absent",))
       for condition, row in {
           BULGE: "-+?-", HERNIATION: "?--+", HEIGHT: "-?+-", SLIP: "--+?", UPPER: "+--?"}.items()
       for level, word in zip(LEVELS, row, strict=True)},
    **{(DEGENERATION, level, None): (step,) for level, step in zip(LEVELS, ("II", "III", "IV", "V"), strict=True)},
    **{(MODIC, level, None): (step,) for level, step in zip(LEVELS, ("0", "1", "2", "0"), strict=True)},
}  # fmt: skip
"""What was graded: steps that cannot be excluded."""

DIAMETERS = {"L2-L3": 14.2, "L3-L4": 10.7, "L4-L5": 8.6}


def world() -> Findings:
    """Return the findings of the world."""
    scales = {DEGENERATION: "pfirrmann", MODIC: "modic"}
    grades = [
        make_grade(condition, steps, level=level, side=side, scale=scales.get(condition))
        if condition in scales
        else make_grade(condition, steps, level=level, side=side)
        for (condition, level, side), steps in WORLD.items()
    ]
    values = tuple(make_measurement("canal_ap_diameter", value, level=level) for level, value in DIAMETERS.items())
    return make_findings(*grades, measurements=values)


@dataclass(frozen=True)
class Statement:
    """What a sentence says; ``steps`` are empty where it is only said to be there or not."""

    condition: Condition
    level: str
    side: Side | None
    steps: tuple[str, ...] = ()
    denied: bool = False
    doubted: bool = False


def holds(statement: Statement) -> bool:
    """Tell whether the world holds just what is said: no more, no less certain."""
    steps = WORLD[statement.condition, statement.level, statement.side]
    normal = {"normal_mild", "absent", "0", "I", "II"}
    if statement.denied:
        return set(steps) <= normal
    if statement.doubted:
        return bool(set(steps) & normal) and bool(set(steps) - normal)
    if statement.steps:
        return steps == statement.steps
    return not set(steps) & normal


def true_statements() -> Iterator[Statement]:
    """Yield one statement for each place of the world."""
    for (condition, level, side), steps in WORLD.items():
        plain = Statement(condition, level, side)
        if condition is DEGENERATION:
            yield replace(plain, steps=steps)
        elif steps in {NORMAL, ("absent",), ("0",)}:
            yield replace(plain, denied=True)
        elif steps == OPEN:
            yield replace(plain, doubted=True)
        else:
            yield replace(plain, steps=() if steps == ("present",) else steps)


def flips(statement: Statement) -> Iterator[Statement]:
    """Yield statements that differ in one thing: side, level, steps, denial, doubt."""
    for level in LEVELS:
        yield replace(statement, level=level)
    if statement.side is not None:
        yield replace(statement, side=R if statement.side is L else L)
    for steps in _OTHER_STEPS.get(statement.condition, ()):
        if statement.steps:
            yield replace(statement, steps=steps)
    if statement.denied or statement.doubted:
        yield replace(statement, denied=False, doubted=False)
    if statement.condition is not DEGENERATION and not statement.denied:
        yield replace(statement, steps=(), denied=True, doubted=False)
    if not statement.steps:
        yield replace(statement, denied=False, doubted=True)


_OTHER_STEPS = {
    **dict.fromkeys((CANAL, FORAMEN, RECESS), (("moderate",), ("severe",), ("moderate", "severe"))),
    DEGENERATION: (("II",), ("III",), ("IV",), ("V",)),
    MODIC: (("1",), ("2",), ("3",)),
}

# Nouns of a structure, and adjectives before "stenosis" and "narrowing".
_STRUCTURES = {
    CANAL: (("spinal canal", "central canal", "canal"),
            ("spinal canal", "central canal", "canal", "spinal", "central")),
    FORAMEN: (("neural foramen", "foramen", "exit foramen"), ("neural foraminal", "foraminal", "exit foraminal")),
    RECESS: (("lateral recess", "subarticular zone"), ("lateral recess", "subarticular")),
}  # fmt: skip
_NARROWED = ("narrowed", "stenosed", "stenotic", "compromised")
_NARROWING = ("narrowing", "stenosis")
_FINE = ("patent", "clear", "widely patent", "preserved", "unremarkable", "normal", "of normal calibre",
         "not narrowed", "free of stenosis", "spared", "within normal limits", "uncompromised")  # fmt: skip
_LEAD = ("", "Of note, ", "In addition, ", "Additionally, ")
_SEEN = ("is seen", "is present", "is demonstrated", "can be appreciated", "is noted", "is identified")

# Conditions that are there or not: noun phrases, then clauses for "is there" and "is not there".
_NOUNS = {
    BULGE: ("disc bulge", "bulging of the disc", "bulging disc", "disc bulging"),
    HERNIATION: ("disc herniation", "herniation of the disc", "disc protrusion", "herniated disc"),
    HEIGHT: ("loss of disc height", "disc height loss", "disc space narrowing", "reduction of disc height"),
    SLIP: ("spondylolisthesis", "listhesis", "slip", "slippage"),
    UPPER: ("irregularity of the upper endplate", "superior endplate irregularity", "upper endplate change"),
}
_CLAUSES = {
    BULGE: (("the {level} disc is bulging", "the disc at {level} bulges", "the {level} disc shows a bulge"),
            ("the {level} disc is not bulging", "the disc at {level} does not bulge",
             "the {level} disc shows no bulge")),
    HERNIATION: (("the {level} disc is herniated", "the {level} disc has herniated",
                  "the disc at {level} is prolapsed"),
                 ("the {level} disc is not herniated", "the {level} disc has not herniated")),
    HEIGHT: (("the height of the {level} disc is reduced", "the {level} disc has lost height",
              "disc height is reduced at {level}", "the {level} disc space is narrowed"),
             ("the height of the {level} disc is preserved", "the {level} disc maintains normal height",
              "disc height has been maintained at {level}", "the {level} disc is of normal height")),
    SLIP: (("{up} has slipped on {low}", "there is a slip of {up} on {low}"),
           ("{level} is normally aligned", "there is no slip of {up} on {low}",
            "alignment is preserved at {level}")),
    UPPER: (("the upper endplate is irregular at {level}", "the {level} upper endplate is irregular"),
            ("the upper endplate is intact at {level}", "the {level} upper endplate is not irregular",
             "the superior endplate at {level} is smooth")),
}  # fmt: skip


def sentences(statement: Statement) -> list[str]:
    """Return the sentences that say a statement."""
    if statement.condition in _STRUCTURES:
        texts = _of_structure(statement)
    elif statement.condition is DEGENERATION:
        texts = _of_degeneration(statement)
    elif statement.condition is MODIC:
        texts = _of_modic(statement)
    else:
        texts = _of_presence(statement)
    return [f"{text[:1].upper()}{text[1:]}." for text in dict.fromkeys(texts)]


def _of_structure(statement: Statement) -> Iterator[str]:
    level = statement.level
    nouns, adjectives = _STRUCTURES[statement.condition]
    for noun, lead in zip(nouns, _LEAD, strict=False):
        for place in _structure_places(noun, level, statement.side):
            if statement.denied:
                yield from (f"{lead}the {place} is {fine}" for fine in _FINE)
                yield from (f"no {act} of the {place}" for act in _NARROWING)
            elif not statement.doubted:
                yield from _narrowed_clauses(place, lead, statement)
    for adjective, act in product(adjectives, _NARROWING):
        yield from _act_phrases(f"{adjective} {act}", statement)


def _structure_places(noun: str, level: str, side: Side | None) -> tuple[str, ...]:
    if side is None:
        return f"{noun} at {level}", f"{level} {noun}"
    return (
        f"{side.value} {noun} at {level}",
        f"{side.value} {level} {noun}",
        f"{side.value}-sided {noun} at {level}",
    )


def _narrowed_clauses(place: str, lead: str, statement: Statement) -> Iterator[str]:
    adverb, adjective = _grade(statement, "ly"), _grade(statement)
    yield from (f"{lead}the {place} is {adverb}{narrowed}" for narrowed in _NARROWED)
    for act in _NARROWING:
        yield f"{lead}there is {adjective}{act} of the {place}"
        yield f"the {place} shows {adjective}{act}"
        if adjective:
            yield f"{act} of the {place} is {adjective.strip()} in degree"


def _act_phrases(act: str, statement: Statement) -> Iterator[str]:
    level, adjective, side = statement.level, _grade(statement), statement.side
    for sided in _sided(act, side):
        if statement.denied:
            yield from (
                f"no {sided} at {level}",
                f"{level}: no {sided}",
                f"there is no evidence of {sided} at {level}",
            )
            yield from (f"{sided} is absent at {level}", f"at {level}, {sided} is not seen")
        elif statement.doubted:
            yield f"{sided} is possible at {level}"
        else:
            yield from (
                f"{adjective}{sided} at {level}",
                f"{level}: {adjective}{sided}",
                f"at {level}, {adjective}{sided} is seen",
            )
            yield from (f"{adjective}{sided} {seen} at {level}" for seen in _SEEN)
            if adjective:
                grade = adjective.strip()
                yield from (
                    f"{sided} at {level} is {grade}",
                    f"{sided}, {grade}, at {level}",
                    f"{level} {sided}: {grade}",
                )
    if side is not None and not statement.doubted:
        denial = "no " if statement.denied else adjective
        yield f"{denial}{act} on the {side.value} at {level}"
        yield f"{denial}{act} at {level} on the {side.value} side"
        if not statement.denied:
            yield f"on the {side.value}, there is {adjective}{act} at {level}"


def _sided(act: str, side: Side | None) -> tuple[str, ...]:
    return (act,) if side is None else (f"{side.value} {act}", f"{side.value}-sided {act}")


def _grade(statement: Statement, ending: str = "") -> str:
    return " to ".join(f"{step}{ending}" for step in statement.steps) + (" " if statement.steps else "")


def _of_presence(statement: Statement) -> Iterator[str]:
    level = statement.level
    up, low = level.split("-")
    there, absent = _CLAUSES[statement.condition]
    for noun in _NOUNS[statement.condition]:
        if statement.doubted:
            yield from (f"possible {noun} at {level}", f"{noun} at {level} cannot be excluded")
            yield from (
                f"{level}: suspected {noun}",
                f"{noun} may be present at {level}",
                f"{noun} is possible at {level}",
            )
        elif statement.denied:
            yield from (
                f"no {noun} at {level}",
                f"{level}: no {noun}",
                f"there is no evidence of {noun} at {level}",
            )
            yield from (
                f"{noun} is absent at {level}",
                f"{level} is free of {noun}",
                f"no {noun} is seen at {level}",
            )
        else:
            yield from (f"{noun} at {level}", f"{level}: {noun}", f"of note, there is {noun} at {level}")
            yield from (f"{noun} {seen} at {level}" for seen in _SEEN)
    if not statement.doubted:
        clauses = absent if statement.denied else there
        yield from (clause.format(level=level, up=up, low=low) for clause in clauses)


def _of_degeneration(statement: Statement) -> Iterator[str]:
    level, step = statement.level, statement.steps[0]
    yield from (
        f"the {level} disc is Pfirrmann grade {step}",
        f"{level}: Pfirrmann {step}",
        f"Pfirrmann grade {step} at {level}",
    )
    yield from (f"the disc at {level} corresponds to Pfirrmann grade {step}", f"grade {step} disc at {level}")
    if step not in {"I", "II"}:
        yield from (
            f"disc degeneration at {level}, Pfirrmann grade {step}",
            f"the {level} disc is degenerated (Pfirrmann {step})",
        )
        yield f"Pfirrmann grade {step} degeneration of the {level} disc"


def _of_modic(statement: Statement) -> Iterator[str]:
    level = statement.level
    if statement.denied:
        yield from (
            f"no Modic change at {level}",
            f"{level}: no Modic changes",
            f"Modic changes are absent at {level}",
        )
        yield from (
            f"the {level} endplates are free of Modic change",
            f"no Modic-type endplate changes at {level}",
        )
        return
    if not statement.steps:
        yield "Modic change is possible at " + level if statement.doubted else f"Modic change at {level}"
        return
    step = statement.steps[0]
    word = {"1": "oedematous", "2": "fatty", "3": "sclerotic"}[step]
    yield from (
        f"Modic type {step} change at {level}",
        f"type {step} Modic changes at {level}",
        f"{level}: Modic {step}",
    )
    yield from (
        f"Modic type {step} ({word}) endplate change at {level}",
        f"{level}: {word} endplate change, Modic type {step}",
    )
    yield from (
        f"the endplates at {level} show Modic type {step} changes",
        f"endplate changes of Modic type {step} at {level}",
    )


def diameter_sentences(level: str, value: float) -> list[str]:
    """Return sentences that give the diameter of the canal."""
    return [
        f"The canal measures {value} mm in AP diameter at {level}.",
        f"AP {value} mm at {level}.",
        f"{level}: {value}-mm canal.",
        f"The anteroposterior diameter of the spinal canal at {level} is {value} mm.",
        f"Canal AP diameter of {value} mm at {level}.",
        f"The canal at {level} has an AP diameter of {value} mm.",
        f"Spinal canal at {level}: {value} mm.",
    ]
