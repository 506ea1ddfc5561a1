"""Studies: upload, worklist, one study, its progress, and what a user may do to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service import audit
from service.accounts.actor import Actor
from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.studies import FurtherReading, SampleIn, StudyChange, StudyPage, UploadFields
from service.errors import InvalidError, ServiceError
from service.services import Services
from service.store.base import now
from service.store.tables import AuditEntry
from service.store.words import ReportStatus, StudyStatus
from service.studies.accept import Incoming, accept_study, refuse_if_full
from service.studies.access import open_study
from service.studies.lane import run_in_lane
from service.studies.lifecycle import cancel_study, change_study, delete_study, read_again, retry_study
from service.studies.progress import ProgressBoard, progress_events
from service.studies.records import StudyOut, study_records
from service.studies.samples import sample_study
from service.studies.upload import drain, receive_upload
from service.studies.worklist import Order, Wanted, list_studies

router = APIRouter(tags=["studies"])

_VIEW_ONCE_IN = timedelta(minutes=5)
_Word = Annotated[str | None, Query(max_length=60)]
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: {"type": "string", "maxLength": 200} for name in UploadFields.model_fields},
                    },
                }
            }
        },
    }
}


@router.post("/studies", status_code=202, openapi_extra=_UPLOAD_BODY)
async def upload(request: Request, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Take a study into the queue: a zip of DICOM files, a DICOM or NIfTI file, or a picture."""
    try:
        await run_in_lane(_refuse_if_full, services)
        received = await receive_upload(services, request)
        fields = _upload_fields(received.fields)
    except ServiceError:
        await drain(request)
        raise
    incoming = Incoming(
        blob=received.blob,
        suffix=received.suffix,
        options={"protocol": fields.protocol, "spacing": fields.spacing, "writer": fields.writer},
        label=fields.label,
        group_id=fields.group_id,
        prior_study_id=fields.prior_study_id,
    )
    return await run_in_lane(_accepted, services, actor, incoming)


@router.post("/studies/sample", status_code=202)
def upload_sample(body: SampleIn, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Take a generated study into the queue; the first one of a protocol takes some seconds to make."""
    _refuse_if_full(services)
    blob = services.blobs.put_file(sample_study(services.config, body.protocol))
    incoming = Incoming(
        blob=blob,
        suffix=".zip",
        options={"protocol": "auto", "spacing": "", "writer": ""},
        label=f"Sample, {body.protocol}",
        is_sample=True,
    )
    return _accepted(services, actor, incoming)


@router.get("/studies")
def worklist(
    services: ServicesDep,
    actor: ActorDep,
    order: Order = Order.URGENCY,
    status: StudyStatus | None = None,
    protocol: _Word = None,
    level: _Word = None,
    condition: _Word = None,
    grade: _Word = None,
    report: ReportStatus | None = None,
    search: Annotated[str, Query(max_length=200)] = "",
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> StudyPage:
    """List the studies that the user may see."""
    wanted = Wanted(order, status, protocol, level, condition, grade, report, search, mine, limit, offset)
    with services.database.read() as session:
        items, total = list_studies(session, actor, wanted)
    return StudyPage(items=items, total=total)


@router.get("/studies/{study_id}")
def one_study(study_id: str, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Return a study; noted in the audit log as viewed, at most every five minutes."""
    with services.database.read() as session:
        study = _record(session, actor, study_id)
        is_noted = _was_viewed_lately(session, actor, study_id)
    if not is_noted:
        with services.database.begin_soft() as session:
            audit.append(session, actor.name, "study.view", subject=f"study:{study_id}")
    return study


@router.patch("/studies/{study_id}")
def change(study_id: str, body: StudyChange, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Rename a study, or share it with a group."""
    change_study(services, actor, study_id, body.model_dump(exclude_unset=True))
    return _read_record(services, actor, study_id)


@router.delete("/studies/{study_id}", status_code=204)
def delete(study_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Delete a study that was never signed."""
    delete_study(services, actor, study_id)
    return Response(status_code=204)


@router.post("/studies/{study_id}/cancel")
def cancel(study_id: str, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Cancel what waits or is being read of a study."""
    cancel_study(services, actor, study_id)
    return _read_record(services, actor, study_id)


@router.post("/studies/{study_id}/retry", status_code=202)
def retry(study_id: str, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Try a study again that failed, was refused or cancelled."""
    retry_study(services, actor, study_id)
    return _read_record(services, actor, study_id)


@router.post("/studies/{study_id}/readings", status_code=202)
def add_reading(study_id: str, body: FurtherReading, services: ServicesDep, actor: ActorDep) -> StudyOut:
    """Have a further model read the same study, or the same with a confirmed level."""
    options = open_options(services, actor, study_id) | body.model_dump()
    read_again(services, actor, study_id, options)
    return _read_record(services, actor, study_id)


@router.get("/studies/{study_id}/events", response_class=StreamingResponse)
async def events(study_id: str, request: Request, services: ServicesDep, actor: ActorDep) -> StreamingResponse:
    """Stream the progress of a study as server-sent events."""
    await run_in_threadpool(_require_visible, services, actor, study_id)
    board = _board(request, services)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(progress_events(board, study_id), media_type="text/event-stream", headers=headers)


def open_options(services: Services, actor: Actor, study_id: str) -> dict[str, Any]:
    """Return the options that a study was uploaded with."""
    with services.database.read() as session:
        return dict(open_study(session, actor, study_id).options)


def _upload_fields(fields: dict[str, str]) -> UploadFields:
    """Check the fields of an upload.

    Raises:
        InvalidError: Naming the first that is wrong.
    """
    try:
        return UploadFields.model_validate({name: text for name, text in fields.items() if text.strip()})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])[:60]
        raise InvalidError(f"{name}: {first['msg']}") from error


def _accepted(services: Services, actor: Actor, incoming: Incoming) -> StudyOut:
    return _read_record(services, actor, accept_study(services, actor, incoming))


def _refuse_if_full(services: Services) -> None:
    with services.database.read() as session:
        refuse_if_full(session, services)


def _read_record(services: Services, actor: Actor, study_id: str) -> StudyOut:
    with services.database.read() as session:
        return _record(session, actor, study_id)


def _require_visible(services: Services, actor: Actor, study_id: str) -> None:
    with services.database.read() as session:
        open_study(session, actor, study_id)


def _record(session: Session, actor: Actor, study_id: str) -> StudyOut:
    return study_records(session, [open_study(session, actor, study_id)])[0]


def _was_viewed_lately(session: Session, actor: Actor, study_id: str) -> bool:
    lately = select(AuditEntry.seq).where(
        AuditEntry.subject == f"study:{study_id}",
        AuditEntry.actor == actor.name,
        AuditEntry.action == "study.view",
        AuditEntry.at > now() - _VIEW_ONCE_IN,
    )
    return session.scalar(lately.limit(1)) is not None


def _board(request: Request, services: Services) -> ProgressBoard:
    """Return the board of this application, made with the first that watches."""
    board: ProgressBoard | None = getattr(request.app.state, "progress_board", None)
    if board is None:
        board = request.app.state.progress_board = ProgressBoard(services.database)
    return board
