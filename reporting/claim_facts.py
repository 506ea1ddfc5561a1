"""Claims of the clause grammar as facts about one study: ``throughout``, ``elsewhere`` and ``only`` filled in.

Each function returns what has to hold in Findings for the claim to hold.
"""

from collections.abc import Iterator

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from grading.types import Findings, Grade, GradeStatus
from reporting.parsing.claims import Claim, ClaimReading
from reporting.places import level_place
from reporting.statements import named_steps, steps_of
from reporting.types import Fact


def facts_of_claim(claim: Claim, reading: ClaimReading, findings: Findings, sentence: str) -> Iterator[Fact]:
    """Yield the facts that a claim makes about a study.

    Args:
        claim: The claim; one without a condition denies all that was graded at its levels.
        reading: The sentence it stands in, whose levels ``elsewhere`` leaves out.
        findings: The study.
        sentence: The text, for the facts.
    """
    if claim.condition is None:
        yield from _nothing_at(claim, reading, findings, sentence)
        return
    if claim.scope == "rest" and CONDITIONS[claim.condition].is_sided:
        yield from _rest(claim, reading, findings, sentence)
        return
    for level in _levels(claim, reading, findings) or (None,):
        for side in claim.sides or (None,):
            yield Fact(level, side, claim.condition, claim.grade, claim.negated, claim.uncertain, sentence)


def faults_of_claim(claim: Claim, findings: Findings) -> list[str]:
    """Return why ``only``, ``worst``, or a direction of slip does not hold; empty when all does."""
    if claim.condition is None:
        levels = () if claim.scope else claim.levels
        return [f"nothing was graded at {level}" for level in levels if not _disc_grades(level, findings)]
    faults = []
    if claim.exception and not _stands_out(claim, findings):
        faults.append(f"{claim.exception} does not hold for {claim.condition.value}")
    if claim.direction and not claim.negated and not _slips(claim, findings):
        faults.append("the direction of the slip was not measured so")
    return faults


def _rest(claim: Claim, reading: ClaimReading, findings: Findings, sentence: str) -> Iterator[Fact]:
    """Yield facts on the sides that no other claim of the sentence names: ``the other foramina are patent``."""
    named = {
        (level, side)
        for other in reading.claims
        if other is not claim and other.condition is claim.condition
        for level in other.levels
        for side in other.sides or tuple(Side)
    }
    for grade in findings.reported:
        is_meant = grade.condition is claim.condition and grade.level is not None
        if is_meant and grade.side in (claim.sides or (grade.side,)) and (grade.level, grade.side) not in named:
            yield Fact(
                grade.level, grade.side, grade.condition, claim.grade, claim.negated, claim.uncertain, sentence
            )


def _nothing_at(claim: Claim, reading: ClaimReading, findings: Findings, sentence: str) -> Iterator[Fact]:
    for level in _levels(claim, reading, findings):
        for grade in _disc_grades(level, findings):
            yield Fact(level, grade.side, grade.condition, None, True, False, sentence)


def _disc_grades(level: str | None, findings: Findings) -> list[Grade]:
    return [grade for grade in findings.reported if grade.level == level]


def _levels(claim: Claim, reading: ClaimReading, findings: Findings) -> tuple[str | None, ...]:
    """Return the levels of a claim: as named, or those of the study that its scope means."""
    if not claim.scope:
        return claim.levels
    graded = [
        grade.level
        for grade in findings.reported
        if grade.condition is claim.condition or (claim.condition is None and grade.level is not None)
    ]
    meant = [level for level in graded if _is_in_scope(level, claim, reading)]
    return tuple(dict.fromkeys(meant))


def _is_in_scope(level: str | None, claim: Claim, reading: ClaimReading) -> bool:
    if claim.scope == "all":
        return True
    if claim.scope == "except":
        return level not in claim.levels
    if claim.scope in {"others", "rest"}:
        return level not in reading.named
    first, *_ = places = [level_place(item) for item in claim.levels]
    if claim.scope in {"above", "upwards"}:
        return level_place(level) < first or (claim.scope == "upwards" and level in claim.levels)
    return places[-1] < level_place(level) < level_place(SIJ) or (
        claim.scope == "downwards" and level in claim.levels
    )


def _stands_out(claim: Claim, findings: Findings) -> bool:
    alike = [
        grade
        for grade in findings.reported
        if grade.condition is claim.condition and grade.level is not None and _is_meant(grade, claim)
    ]
    levels = claim.levels or (SIJ,)
    if claim.exception == "one_sided":
        alike = [grade for grade in alike if grade.level in levels]
    meant = [grade for grade in alike if grade.level in levels and grade.side in (claim.sides or (grade.side,))]
    others = [grade for grade in alike if grade not in meant]
    known = all(grade.status is GradeStatus.GRADED for grade in alike)
    if claim.negated or claim.uncertain or not known or not meant:
        return False
    if claim.exception == "worst":
        best = min(min(_ranks(grade)) for grade in meant)
        return all(max(_ranks(grade)) <= best for grade in others)
    said = set() if claim.exception == "one_sided" else set((claim.grade or "").split("|")) - {""}
    return not any(set(steps_of(grade)) & (said or named_steps(grade.scale)) for grade in others)


def _is_meant(grade: Grade, claim: Claim) -> bool:
    """Tell whether a grade is compared: Modic types are no steps from best to worst."""
    is_ranked = claim.exception != "worst" or claim.condition is not Condition.MODIC
    return grade.scale in CONDITIONS[grade.condition].scales and is_ranked


def _ranks(grade: Grade) -> list[int]:
    return [SCALES[grade.scale].grades.index(step) for step in steps_of(grade)]


def _slips(claim: Claim, findings: Findings) -> bool:
    for level in claim.levels:
        values = [item.value for item in findings.measurements if item.name == "listhesis" and item.level == level]
        if not any(value is not None and value * claim.direction > 0 for value in values):
            return False
    return bool(claim.levels)
