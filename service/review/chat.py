"""Questions about a study, answered from the findings as decided: an answer does not assert what was rejected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.audit import append
from service.review.case import Case, load_case
from service.review.provenance import provenance_of
from service.services import Services
from service.store.tables import ChatMessage
from service.studies.access import open_study
from vlm import Answer, answer_question
from vlm.chat import Conversation

_REMEMBERED = 4
"""Questions before it that a question may refer to (``and on the left?``)."""


@dataclass(frozen=True)
class Citation:
    """A sentence of the report that states what an answer rests on: section, place among those shown."""

    section: str
    index: int


@dataclass(frozen=True)
class ChatTurn:
    """A question and its answer."""

    question: str
    answer: str
    finding_ids: tuple[str, ...]
    sentences: tuple[Citation, ...]
    refused: bool
    at: datetime


def ask(services: Services, actor: Actor, study_id: str, question: str) -> ChatTurn:
    """Answer a question about a study and keep both; the audit log has neither's words.

    Raises:
        NotFoundError: If the study has no report, or the actor may not see it.
    """
    with services.database.read() as session:
        case = load_case(session, actor, study_id)
        before = [row.question for row in _messages(session, actor, study_id)[-_REMEMBERED:]]
    answer = _answer(case.decided_document, before, question)
    message = ChatMessage(
        study_id=study_id,
        user_id=actor.user_id,
        question=question,
        answer=answer.text,
        finding_ids=list(answer.finding_ids),
        is_refused=answer.refused,
    )
    with services.database.begin() as session:
        session.add(message)
        append(
            session,
            actor.name,
            "chat.ask",
            subject=f"study:{study_id}",
            details={"refused": answer.refused, "version": case.version, **provenance_of(case)},
        )
    return _turn(message, case)


def conversation(services: Services, actor: Actor, study_id: str) -> list[ChatTurn]:
    """Return what the actor asked about a study, the first question first."""
    with services.database.read() as session:
        case = load_case(session, actor, study_id)
        return [_turn(row, case) for row in _messages(session, actor, study_id)]


def citations(case: Case, finding_ids: Collection[str]) -> tuple[Citation, ...]:
    """Return the sentences that state any of some findings."""
    wanted = set(finding_ids)
    return tuple(
        Citation(section.name, index)
        for section in case.current
        for index, row in enumerate(section.visible)
        if wanted & set(row.finding_ids)
    )


def _answer(document: Mapping[str, Any], before: Sequence[str], question: str) -> Answer:
    """Answer a question after others; those are answered again, for what they were about."""
    earlier = Conversation()
    for asked in before:
        earlier = earlier.then(asked, answer_question(document, asked, earlier))
    return answer_question(document, question, earlier)


def _messages(session: Session, actor: Actor, study_id: str) -> list[ChatMessage]:
    open_study(session, actor, study_id)
    query = (
        select(ChatMessage)
        .where(ChatMessage.study_id == study_id, ChatMessage.user_id == actor.user_id)
        .order_by(ChatMessage.at, ChatMessage.id)
    )
    return list(session.scalars(query))


def _turn(row: ChatMessage, case: Case) -> ChatTurn:
    return ChatTurn(
        question=row.question,
        answer=row.answer,
        finding_ids=tuple(row.finding_ids),
        sentences=citations(case, row.finding_ids),
        refused=row.is_refused,
        at=row.at,
    )
