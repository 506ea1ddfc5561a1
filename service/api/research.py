"""Routes of research: corrections without identity, and the evaluation suite on uploaded predictions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel

from service.api.dependencies import ResearcherDep, ServicesDep
from service.research.evaluations import (
    TASKS,
    Upload,
    evaluation_file,
    get_evaluation,
    list_evaluations,
    start_evaluation,
)
from service.research.exports import export_corrections
from service.store.tables import Evaluation

router = APIRouter(prefix="/research", tags=["research"])


class CorrectionsFormat(StrEnum):
    """Forms of the export: lines of JSON, or tables that ``spinescribe evaluate grading`` reads."""

    JSONL = "jsonl"
    REFERENCES = "references"
    PREDICTIONS = "predictions"


class EvaluationFile(BaseModel):
    """A file of an evaluation."""

    name: str
    bytes: int
    media_type: str


class EvaluationOut(BaseModel):
    """An evaluation. ``state``: running, done, failed (then with ``cause``); ``metrics`` is metrics.json."""

    id: str
    task: str
    state: str
    cause: str | None
    metrics: dict[str, Any]
    files: list[EvaluationFile]
    at: datetime
    finished_at: datetime | None


class EvaluationList(BaseModel):
    """The user's evaluations, newest first, without their metrics."""

    items: list[EvaluationOut]


@router.get("/corrections", response_class=Response)
def get_corrections(
    services: ServicesDep, actor: ResearcherDep, format: CorrectionsFormat = CorrectionsFormat.JSONL
) -> Response:
    """Return what readers corrected in signed reports that the researcher may see, without identity."""
    made = export_corrections(services, actor)
    if format is CorrectionsFormat.JSONL:
        return _attachment(made.jsonl().encode(), "application/jsonl", "corrections.jsonl")
    whose = "human" if format is CorrectionsFormat.REFERENCES else "machine"
    return _attachment(made.grades_csv(whose).encode(), "text/csv; charset=utf-8", f"{format.value}.csv")


@router.post("/evaluations", status_code=202)
def post_evaluation(
    services: ServicesDep,
    actor: ResearcherDep,
    task: Annotated[str, Form(max_length=20, description=f"one of {', '.join(TASKS)}")],
    predictions: Annotated[UploadFile, File(description="CSV, JSONL, JSON, or a zip of a folder")],
    references: Annotated[UploadFile, File(description="as the predictions")],
) -> EvaluationOut:
    """Begin to evaluate predictions against references; ask for it again until its state is not ``running``."""
    told, truth = (Upload(item.filename or "", item.file) for item in (predictions, references))
    return _out(start_evaluation(services, actor, task, told, truth))


@router.get("/evaluations")
def get_evaluations(services: ServicesDep, actor: ResearcherDep) -> EvaluationList:
    """Return the researcher's own evaluations."""
    rows = list_evaluations(services, actor)
    return EvaluationList(items=[_out(row, has_metrics=False) for row in rows])


@router.get("/evaluations/{evaluation_id}")
def get_one_evaluation(evaluation_id: str, services: ServicesDep, actor: ResearcherDep) -> EvaluationOut:
    """Return one of the researcher's own evaluations."""
    return _out(get_evaluation(services, actor, evaluation_id))


@router.get("/evaluations/{evaluation_id}/files/{name:path}", response_class=Response)
def get_evaluation_file(evaluation_id: str, name: str, services: ServicesDep, actor: ResearcherDep) -> Response:
    """Return a file of an evaluation."""
    content, media_type, sha256 = evaluation_file(services, actor, evaluation_id, name)
    response = _attachment(content, media_type, name.replace("/", "-"))
    response.headers["ETag"] = f'"{sha256}"'
    return response


def _attachment(content: bytes, media_type: str, name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)


def _out(row: Evaluation, *, has_metrics: bool = True) -> EvaluationOut:
    files = [EvaluationFile(name=name, **_shown(told)) for name, told in sorted(row.files.items())]
    return EvaluationOut(
        id=row.id,
        task=row.task,
        state=row.state,
        cause=row.cause,
        metrics=row.metrics if has_metrics else {},
        files=files,
        at=row.at,
        finished_at=row.finished_at,
    )


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    return {"bytes": told["bytes"], "media_type": told["media_type"]}
