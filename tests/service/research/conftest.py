"""A study that was decided, edited and signed."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from service.accounts.actor import Actor
from service.services import Services
from service.store.tables import Decision, StudyReport
from service.store.words import ReportStatus, Verdict
from tests.service.conftest import add_study

READ_AT = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


def graded(document: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return grades with probabilities and at least three steps."""
    return [row for row in document["grades"] if row["grade"] is not None and len(row["probabilities"]) > 2][
        :count
    ]


def add_signed(
    services: Services,
    document: dict[str, Any],
    owner: Actor,
    edits: dict[int, str | None] | None = None,
    *,
    added: tuple[str, ...] = (),
    verdicts: tuple[Verdict, ...] = (Verdict.ACCEPT, Verdict.EDIT, Verdict.REJECT),
    status: ReportStatus = ReportStatus.SIGNED,
    **fields: Any,
) -> str:
    """Store a signed study and return its id.

    Args:
        services: Open service.
        document: Of the reading.
        owner: Who sent and signed it.
        edits: Number of the sentence in the findings -> its new text, or None to hide it.
        added: Sentences that the reader wrote.
        verdicts: On the first graded findings.
        status: Of the report.
        fields: Of the study.
    """
    with services.database.begin() as session:
        study, reading = add_study(session, owner, document, **fields)
        reading.created_at = READ_AT
        report = session.get_one(StudyReport, study.id)
        report.status, report.current = status.value, _edited(report.proposed, edits or {}, added)
        report.signed_by, report.signed_at = owner.user_id, READ_AT
        for row, verdict in zip(graded(document, len(verdicts)), verdicts, strict=True):
            grade = list(row["probabilities"])[-1] if verdict is Verdict.EDIT else None
            session.add(
                Decision(
                    study_id=study.id,
                    finding_id=row["id"],
                    verdict=verdict.value,
                    grade=grade,
                    note="Mrs Miller's note",
                    user_id=owner.user_id,
                )
            )
        return study.id


@pytest.fixture
def sign(services: Services, document: dict[str, Any]) -> Callable[..., str]:
    """Return ``add_signed`` of this service and document."""
    return partial(add_signed, services, document)


def _edited(sections: list[Any], edits: dict[int, str | None], added: tuple[str, ...]) -> list[Any]:
    """Return sections as ``service.review`` stores them: rows with a slot, some hidden."""
    changed = copy.deepcopy(sections)
    for section in changed:
        for number, row in enumerate(section["sentences"]):
            row |= {
                "id": f"{section['name']}-{number}",
                "slot": f"{section['name']}-{number}",
                "origin": "machine",
            }
    findings = next(section for section in changed if section["name"] == "findings")["sentences"]
    for number, text in edits.items():
        hidden = {"is_hidden": True} if text is None else {"text": text}
        findings[number] |= {"origin": "human", **hidden}
    findings += [
        {"id": f"h-{number}", "slot": f"h-{number}", "text": text, "finding_ids": [], "origin": "human"}
        for number, text in enumerate(added)
    ]
    return changed
