"""Questions about a study."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.plain import PlainText, StudyId
from service.review.chat import ask, conversation

router = APIRouter(tags=["chat"])

_MAX_QUESTION = 2000


class QuestionIn(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[PlainText, Field(min_length=1, max_length=_MAX_QUESTION)]


class CitationOut(BaseModel):
    """A sentence of the report, by section and place."""

    section: str
    index: int


class TurnOut(BaseModel):
    """A question and its answer; plain text, to be escaped where it is shown."""

    question: str
    answer: str
    finding_ids: list[str]
    sentences: list[CitationOut]
    refused: bool
    at: datetime


@router.post("/studies/{study_id}/chat", response_model=TurnOut)
def ask_question(study_id: StudyId, body: QuestionIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Answer a question from the findings as decided."""
    return TurnOut.model_validate(ask(services, actor, study_id, body.question), from_attributes=True)


@router.get("/studies/{study_id}/chat", response_model=list[TurnOut])
def read_conversation(study_id: StudyId, services: ServicesDep, actor: ActorDep) -> Any:
    """Return what the actor asked about a study, the first question first."""
    turns = conversation(services, actor, study_id)
    return [TurnOut.model_validate(turn, from_attributes=True) for turn in turns]
