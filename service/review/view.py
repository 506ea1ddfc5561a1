"""The report as the reading room shows it: sentences with their places, findings with decisions, the gate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from anatomy import CONDITIONS, SCALES
from grading.types import Grade
from service.accounts.actor import Actor
from service.review.case import Case, Signature
from service.review.rows import Origin, Row, Section, with_levels
from service.review.states import Action, may
from service.store.words import Role

_NO_WORDS = "not assessable"


class ReportView:
    """Makes the answer of ``GET /studies/{id}/report``.

    Args:
        case: The report.
        actor: Who looks at it.
    """

    def __init__(self, case: Case, actor: Actor) -> None:
        self._case = case
        self._actor = actor

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the API answers it."""
        case = self._case
        is_radiologist = self._actor.role is Role.RADIOLOGIST
        return {
            "study_id": case.study_id,
            "reading_id": case.reading_id,
            "source": case.document["study"]["source"],
            "status": case.status.value,
            "version": case.version,
            "sections": [self._section(section) for section in case.current],
            "findings": [self._finding(grade) for grade in case.machine.reported],
            "blockers": list(case.standing.blockers),
            "warnings": [remark.text for remark in case.remarks if not remark.is_conflict],
            "may_edit": is_radiologist and may(Action.EDIT, case.standing),
            "may_review": is_radiologist and may(Action.REVIEW, case.standing),
            "may_sign": is_radiologist and may(Action.SIGN, case.standing),
            "may_amend": is_radiologist and may(Action.AMEND, case.standing),
            "signed": self._signature(case.signature),
            "updated": self._signature(case.updated),
        }

    def _section(self, section: Section) -> dict[str, Any]:
        return {
            "name": section.name,
            "sentences": [self._sentence(row, levels) for row, levels in with_levels(section.rows).items()],
        }

    def _sentence(self, row: Row, levels: tuple[str, ...]) -> dict[str, Any]:
        status, reason, places = row.status, row.reason, self._case.reading.places
        if row.origin is Origin.HUMAN:
            verdict = self._case.human_text.check(row, levels)
            status, reason = verdict.status.value, "; ".join(verdict.reasons) or None
            told = [remark.text for remark in self._case.remarks if remark.row_id == row.id]
            reason = "; ".join(told) or reason
        return {
            "id": row.id,
            "text": row.text,
            "proposed_text": self._proposed(row),
            "finding_ids": list(row.finding_ids),
            "source": row.source,
            "status": status,
            "origin": row.origin.value,
            "places": [places[key] for key in row.finding_ids if key in places],
            "reason": reason,
        }

    def _proposed(self, row: Row) -> str | None:
        """Return what the machine wrote in the place of a sentence; None for its own."""
        base = self._base.get(row.slot)
        return base.text if base is not None and row.origin is not Origin.MACHINE and row.id == row.slot else None

    def _finding(self, grade: Grade) -> dict[str, Any]:
        case, scale = self._case, SCALES[grade.scale]
        place = self._case.reading.places.get(grade.id)
        return {
            "id": grade.id,
            "level": grade.level,
            "side": None if grade.side is None else grade.side.value,
            "condition": grade.condition.value,
            "condition_words": CONDITIONS[grade.condition].words,
            "scale": grade.scale,
            "grade": grade.grade,
            "grade_words": _NO_WORDS if grade.grade is None else scale.step(grade.grade).words,
            "probabilities": grade.probabilities,
            "prediction_set": list(grade.prediction_set),
            "status": grade.status.value,
            "reason": grade.reason,
            "is_positive": grade.id in case.positive_ids,
            "is_critical": grade.id in case.critical_ids,
            "series": None if place is None else place["series"],
            "slice": None if place is None else place["slice"],
            "box_px": None if place is None else place["box_px"],
            "choices": [{"grade": step.grade, "words": step.words} for step in scale.steps],
            "decision": self._decision(grade.id),
            "acknowledged": grade.id in case.acknowledged,
        }

    def _decision(self, finding_id: str) -> dict[str, Any] | None:
        found = self._case.decisions.get(finding_id)
        if found is None:
            return None
        return {
            "verdict": found.verdict.value,
            "grade": found.grade,
            "note": found.note,
            "user": self._case.name(found.user_id),
            "at": found.at,
        }

    def _signature(self, found: Signature | None) -> dict[str, Any] | None:
        return None if found is None else {"by": self._case.name(found.user_id), "at": found.at}

    @cached_property
    def _base(self) -> Mapping[str, Row]:
        return {row.id: row for section in self._case.proposed for row in section.rows}
