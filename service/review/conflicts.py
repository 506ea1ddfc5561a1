"""Where a human's words and the findings do not agree: sentences are never overwritten, the disagreement is told.

Against a finding that a reader decided it is a conflict: the report would say two things under one signature, so
it stands in the way of signing. Against a finding that only the machine graded it is a warning: the human may be
right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from grading.types import Findings, Grade
from reporting import Checker, SentenceContext
from reporting.compare import Agreement, compare_fact, grades_for
from reporting.types import Fact, Verdict, VerdictStatus
from reporting.verifier import positive_grades
from service.review.follow import finding_words
from service.review.graph import Rulings, decided_findings
from service.review.rows import Origin, Row, Section, names_level, with_levels
from service.store.words import Verdict as Decided

_SHOWN = 80


@dataclass(frozen=True)
class Remark:
    """Something a reader must know of a sentence, or of the report.

    Attributes:
        row_id: Sentence; empty for the whole report.
        text: What does not agree.
        is_conflict: Whether it stands in the way of signing.
    """

    row_id: str
    text: str
    is_conflict: bool


class HumanText:
    """Compares what humans wrote with what was decided.

    Args:
        machine: The findings graph as the machine made it.
        rulings: Finding id -> what was decided.
    """

    def __init__(self, machine: Findings, rulings: Rulings) -> None:
        decided = decided_findings(machine, rulings)
        gone = tuple(
            grade
            for grade in machine.reported
            if (ruling := rulings.get(grade.id)) is not None and ruling.verdict is Decided.REJECT
        )
        self._rulings = rulings
        self._decided = Checker(decided)
        self._rejected = Checker(replace(machine, grades=gone)) if gone else None

    def check(self, row: Row, levels: tuple[str, ...]) -> Verdict:
        """Return how a sentence stands to the findings as decided."""
        return self._decided.check(row.text, SentenceContext(levels, has_prior=True))

    def remarks(self, section: Section) -> list[Remark]:
        """Return what does not agree in the sentences that humans wrote in a section."""
        found = []
        for row, levels in with_levels(section.rows).items():
            if row.origin is Origin.HUMAN:
                found += self._of_row(row, levels)
        return found

    def _of_row(self, row: Row, levels: tuple[str, ...]) -> list[Remark]:
        told = f"“{_short(row.text)}”"
        found = []
        if row.levels and row.levels != levels and not names_level(row.text):
            was, now = ", ".join(row.levels), ", ".join(levels) or "no level"
            found.append(Remark(row.id, f"{told} was written of {was} and is now read of {now}: name it", True))
        for grade in _contradicted(self.check(row, levels), self._decided.findings):
            ruling = self._rulings.get(grade.id)
            whose = "the machine's grade" if ruling is None else f"the decision on {grade.id} ({ruling.verdict})"
            found.append(Remark(row.id, f"{told} contradicts {whose}: {finding_words(grade)}", ruling is not None))
        for grade in self._asserted_again(row.text, levels):
            found.append(Remark(row.id, f"{told} states what was rejected: {finding_words(grade)}", True))
        return found

    def _asserted_again(self, text: str, levels: tuple[str, ...]) -> list[Grade]:
        """Return the rejected findings that a sentence states, whole or in part."""
        if self._rejected is None:
            return []
        gone = self._rejected.findings
        verdict = self._rejected.check(text, SentenceContext(levels, has_prior=True))
        named = [grade for key in verdict.finding_ids if (grade := gone.grade(key)) is not None]
        partly = [
            grade
            for fact in verdict.facts
            for grade in _exactly(fact, gone)
            if compare_fact(fact, grade) is not Agreement.CONTRADICTS
        ]
        return list({grade.id: grade for grade in (*named, *partly)}.values())


def unsaid(sections: Iterable[Section], machine: Findings, rulings: Rulings) -> list[Remark]:
    """Return a warning for each positive finding that was accepted or graded and that no sentence states."""
    stated = {key for section in sections for row in section.visible for key in row.finding_ids}
    decided = decided_findings(machine, rulings)
    return [
        Remark("", f"{finding_words(grade)} was {rulings[grade.id].verdict}ed and no sentence states it", False)
        for grade in positive_grades(decided)
        if grade.id in rulings and grade.id not in stated
    ]


def _contradicted(verdict: Verdict, findings: Findings) -> list[Grade]:
    """Return the findings that the facts of a verdict contradict."""
    if verdict.status is not VerdictStatus.CONTRADICTED:
        return []
    found: dict[str, Grade] = {}
    for fact in verdict.facts:
        grades = grades_for(fact, findings)
        wrong = [grade for grade in grades if compare_fact(fact, grade) is Agreement.CONTRADICTS]
        if fact.side is None and not fact.negated and len(wrong) < len(grades):
            continue  # positive words without a side: one side has it
        found |= {grade.id: grade for grade in wrong}
    return list(found.values())


def _exactly(fact: Fact, findings: Findings) -> list[Grade]:
    """Return the findings at the very place of a fact; words without a level or side mean none of them alone."""
    return [grade for grade in grades_for(fact, findings) if grade.level == fact.level]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
