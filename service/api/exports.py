"""Reports leave as files; what is not signed carries the mark of a draft on every page."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.plain import StudyId
from service.export import Format, export_report

router = APIRouter(tags=["exports"])


@router.get("/studies/{study_id}/export/{kind}", response_class=Response)
def export(study_id: StudyId, kind: Format, services: ServicesDep, actor: ActorDep) -> Response:
    """Return the report as it stands: as a file, or as a zip where a format has several or is DICOM."""
    exported = export_report(services, actor, study_id, kind)
    headers = {
        "Content-Disposition": f'attachment; filename="{exported.name}"',
        "Content-Length": str(exported.size),
        "X-Report-Status": exported.status.value,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(exported.chunks(), media_type=exported.media_type, headers=headers)
