"""Claims of the clause grammar as facts about one study: ``throughout``, ``elsewhere`` and ``only`` filled in.

Each function returns what has to hold in Findings for the claim to hold.
"""

from collections.abc import Iterator

from anatomy import CONDITIONS, SCALES, SIJ, Condition
from grading.types import Findings, Grade, GradeStatus
from reporting.parsing.claims import Claim
from reporting.statements import abnormal_steps, steps_of
from reporting.types import Fact


def facts_of_claim(claim: Claim, named: tuple[str, ...], findings: Findings, sentence: str) -> Iterator[Fact]:
    """Yield the facts that a claim makes about a study.

    Args:
        claim: The claim; one without a condition denies all that was graded at its levels.
        named: Levels that the sentence names, which ``elsewhere`` leaves out.
        findings: The study.
        sentence: The text, for the facts.
    """
    if claim.condition is None:
        yield from _nothing_at(claim, findings, sentence)
        return
    for level in _levels(claim, named, findings) or (None,):
        for side in claim.sides or (None,):
            yield Fact(level, side, claim.condition, claim.grade, claim.negated, claim.uncertain, sentence)


def faults_of_claim(claim: Claim, findings: Findings) -> list[str]:
    """Return why ``only``, ``worst``, or a direction of slip does not hold; empty when all does."""
    if claim.condition is None:
        return [f"nothing was graded at {level}" for level in claim.levels if not _disc_grades(level, findings)]
    faults = []
    if claim.exception and not _stands_out(claim, findings):
        faults.append(f"{claim.exception} does not hold for {claim.condition.value}")
    if claim.direction and not claim.negated and not _slips(claim, findings):
        faults.append("the direction of the slip was not measured so")
    return faults


def _nothing_at(claim: Claim, findings: Findings, sentence: str) -> Iterator[Fact]:
    for level in claim.levels:
        for grade in _disc_grades(level, findings):
            yield Fact(level, grade.side, grade.condition, None, True, False, sentence)


def _disc_grades(level: str, findings: Findings) -> list[Grade]:
    return [grade for grade in findings.reported if grade.level == level]


def _levels(claim: Claim, named: tuple[str, ...], findings: Findings) -> tuple[str | None, ...]:
    if not claim.scope:
        return claim.levels
    graded = [grade.level for grade in findings.reported if grade.condition is claim.condition]
    return tuple(dict.fromkeys(level for level in graded if claim.scope == "all" or level not in named))


def _stands_out(claim: Claim, findings: Findings) -> bool:
    alike = [
        grade
        for grade in findings.reported
        if grade.condition is claim.condition and grade.level is not None and _is_meant(grade, claim)
    ]
    levels = claim.levels or (SIJ,)
    meant = [grade for grade in alike if grade.level in levels and grade.side in (claim.sides or (grade.side,))]
    others = [grade for grade in alike if grade not in meant]
    known = all(grade.status is GradeStatus.GRADED for grade in alike)
    if claim.negated or claim.uncertain or not known or not meant:
        return False
    if claim.exception == "worst":
        best = min(min(_ranks(grade)) for grade in meant)
        return all(max(_ranks(grade)) <= best for grade in others)
    said = set((claim.grade or "").split("|")) - {""}
    return not any(set(steps_of(grade)) & (said or abnormal_steps(grade.scale)) for grade in others)


def _is_meant(grade: Grade, claim: Claim) -> bool:
    """Tell whether a grade is compared: Modic types are no steps from best to worst."""
    return grade.scale in CONDITIONS[grade.condition].scales and claim.condition is not Condition.MODIC


def _ranks(grade: Grade) -> list[int]:
    return [SCALES[grade.scale].grades.index(step) for step in steps_of(grade)]


def _slips(claim: Claim, findings: Findings) -> bool:
    for level in claim.levels:
        values = [item.value for item in findings.measurements if item.name == "listhesis" and item.level == level]
        if not any(value is not None and value * claim.direction > 0 for value in values):
            return False
    return bool(claim.levels)
