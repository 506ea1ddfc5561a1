"""The findings graph of a stored reading: as the machine made it, and as a reader's decisions leave it.

Accepted and undecided findings stand as the machine gave them. An edited one has the reader's grade, no
probabilities, and a place in the images only if the machine had one. A rejected one is not asserted: the graph for
the report does not hold it, the document for chat and tables calls it not assessable, with that reason. A second
way of grading the same place (a check) falls with the decision: the reader has settled it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from anatomy import Condition, Side, load_protocol
from grading.burden import measure_burden
from grading.types import Burden, Findings, Grade, GradeStatus
from reporting.prior import Comparison, compare_with_prior
from reporting.restored import restore_findings, restore_prior
from reporting.statements import steps_of
from service.review.rows import implied_scope
from service.store.words import Verdict

BY_READER = "graded by the reader"
REJECTED = "rejected by the reader"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Ruling:
    """What a reader decided of a finding.

    Attributes:
        verdict: Accepted, edited or rejected.
        grade: Of an edited one, the step that is right; None otherwise.
    """

    verdict: Verdict
    grade: str | None = None


Rulings = Mapping[str, Ruling]


def decided_findings(machine: Findings, rulings: Rulings) -> Findings:
    """Return the graph that the report states: edited findings with the reader's grade, rejected ones left out."""
    kept = [grade for grade in decided_grades(machine, rulings) if grade.reason != REJECTED]
    return _rescored(machine, tuple(kept), rulings)


def decided_grades(machine: Findings, rulings: Rulings) -> tuple[Grade, ...]:
    """Return all grades as decided; a rejected one is not assessable, with that reason."""
    settled = {_place(grade) for grade in machine.reported if _is_changed(grade, rulings.get(grade.id))}
    return tuple(
        _ruled(grade, rulings.get(grade.id))
        for grade in machine.grades
        if not (grade.is_check and _place(grade) in settled)
    )


def changed_ids(machine: Findings, rulings: Rulings) -> frozenset[str]:
    """Return the ids of the findings that no longer stand as the machine gave them."""
    return frozenset(grade.id for grade in machine.reported if _is_changed(grade, rulings.get(grade.id)))


def decided_comparison(document: Document, machine: Findings, rulings: Rulings) -> Comparison | None:
    """Return the change table against the earlier reading, made again from what was decided; None without one."""
    table = document.get("comparison")
    if table is None:
        return None
    rejected = {_place(grade) for grade in machine.grades if _verdict(rulings, grade.id) is Verdict.REJECT}
    prior = restore_prior(table, machine.protocol)
    prior = replace(prior, grades=tuple(grade for grade in prior.grades if _place(grade) not in rejected))
    return compare_with_prior(decided_findings(machine, rulings), prior, notices=table["notices"])


def decided_document(
    document: Document, rulings: Rulings, sections: Sequence[Mapping[str, Any]], state: str
) -> dict[str, Any]:
    """Return reading.json as it stands after a reader's decisions, for chat and for export.

    Args:
        document: What the machine stored.
        rulings: Finding id -> what was decided.
        sections: Sections of the report as they stand, as in reading.json.
        state: State of the report.
    """
    machine = restore_findings(document)
    changed = changed_ids(machine, rulings)
    decided = {grade.id: grade for grade in decided_grades(machine, rulings)}
    result: dict[str, Any] = copy.deepcopy(dict(document))
    result["grades"] = [
        decided[row["id"]].to_dict() if row["id"] in changed else row
        for row in result["grades"]
        if row["id"] in decided
    ]
    if changed:
        result["notices"] = decided_notices(document, machine, rulings)
        result["burden"] = decided_findings(machine, rulings).burden.to_dict()
        comparison = decided_comparison(document, machine, rulings)
        if comparison is not None:
            result["comparison"] = comparison.to_dict()
    result["report"] = {"state": state, "sections": [dict(section) for section in sections]}
    return result


def decided_notices(document: Document, machine: Findings, rulings: Rulings) -> list[str]:
    """Return the notices of a reading without those that speak of a finding which was decided otherwise."""
    changed = changed_ids(machine, rulings)
    return [text for text in document["notices"] if not changed & set(implied_scope(text, machine))]


def reported_beside(machine: Findings, measurement_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the reported grades that rest on measurements: where to decide on a value that has no grade."""
    wanted = set(measurement_ids)
    return tuple(grade.id for grade in machine.reported if wanted & set(grade.measurement_ids))


def _ruled(grade: Grade, ruling: Ruling | None) -> Grade:
    if ruling is None or ruling.verdict is Verdict.ACCEPT or not _is_changed(grade, ruling):
        return grade
    if ruling.verdict is Verdict.REJECT or ruling.grade is None:
        return replace(
            grade,
            grade=None,
            probabilities={},
            prediction_set=(),
            status=GradeStatus.NOT_ASSESSABLE,
            reason=REJECTED,
            evidence=None,
        )
    return replace(
        grade,
        grade=ruling.grade,
        probabilities={},
        prediction_set=(ruling.grade,),
        status=GradeStatus.GRADED,
        reason=BY_READER,
    )


def _is_changed(grade: Grade, ruling: Ruling | None) -> bool:
    """Tell whether a decision makes a finding say something else."""
    if ruling is None or ruling.verdict is Verdict.ACCEPT:
        return False
    if ruling.verdict is Verdict.REJECT:
        return True
    return grade.status is GradeStatus.NOT_ASSESSABLE or steps_of(grade) != (ruling.grade,)


def _rescored(machine: Findings, grades: tuple[Grade, ...], rulings: Rulings) -> Findings:
    if not changed_ids(machine, rulings):
        return replace(machine, grades=grades)
    return replace(machine, grades=grades, burden=_score(_Graded(machine.protocol, grades)))


@dataclass(frozen=True, eq=False)
class _Graded:
    """Grades as a key: the score takes a quarter of a second, and each request asks for it several times."""

    protocol: str
    grades: tuple[Grade, ...]

    @property
    def _key(self) -> tuple[object, ...]:
        fields = (
            (item.id, _place(item), item.scale, item.grade, *item.probabilities.items()) for item in self.grades
        )
        return self.protocol, *fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Graded) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=128)
def _score(graded: _Graded) -> Burden:
    return measure_burden(graded.grades, load_protocol(graded.protocol))


def _verdict(rulings: Rulings, finding_id: str) -> Verdict | None:
    ruling = rulings.get(finding_id)
    return None if ruling is None else ruling.verdict


def _place(grade: Grade) -> tuple[str | None, Side | None, Condition]:
    return grade.level, grade.side, grade.condition
