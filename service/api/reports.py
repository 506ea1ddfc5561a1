"""Reports: read, edited, decided, reviewed, signed, amended; versions and what differs between them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from service.accounts.actor import Actor
from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.plain import FindingId, StudyId, Version
from service.api.schemas.reports import (
    AcknowledgementIn,
    AmendIn,
    BaseIn,
    DecisionIn,
    DiffOut,
    ReportOut,
    ReviewIn,
    SignIn,
    TextIn,
    VersionOut,
)
from service.audit.views import record_view
from service.errors import InvalidError, NotFoundError
from service.review import decisions, editing, rebase, signing, versions
from service.review.case import Case
from service.review.change import open_case
from service.review.editing import GivenSection, GivenSentence
from service.review.provenance import provenance_of
from service.review.view import ReportView

router = APIRouter(tags=["reports"])

_NO_PRIOR = "this study was read without an earlier study, so there is no comparison"


@router.get("/studies/{study_id}/report", response_model=ReportOut)
def read_report(study_id: StudyId, services: ServicesDep, actor: ActorDep) -> Any:
    """Return the report as it stands."""
    case = open_case(services, actor, study_id)
    record_view(services, actor, study_id, {"version": case.version, **provenance_of(case)})
    return _view(case, actor)


@router.put("/studies/{study_id}/report", response_model=ReportOut)
def write_report(study_id: StudyId, body: TextIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Put the reader's text in the place of the report's."""
    given = [
        GivenSection(section.name, tuple(GivenSentence(item.id, item.text) for item in section.sentences))
        for section in body.sections
    ]
    return _view(editing.edit_text(services, actor, study_id, body.version, given), actor)


@router.post("/studies/{study_id}/report/reading", response_model=ReportOut)
def base_upon(study_id: StudyId, body: BaseIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Base a report that nobody has worked on upon another reading of the study."""
    return _view(rebase.base_upon(services, actor, study_id, body.version, body.reading_id), actor)


@router.post("/studies/{study_id}/decisions", response_model=ReportOut)
def decide(study_id: StudyId, body: DecisionIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Accept, edit or reject findings; the text follows."""
    named = [] if body.finding_id is None else [body.finding_id]
    finding_ids = list(dict.fromkeys((*named, *body.finding_ids)))
    if not finding_ids:
        raise InvalidError("expected finding_id, or finding_ids")
    case = decisions.decide(
        services, actor, study_id, body.version, finding_ids, body.verdict, grade=body.grade, note=body.note
    )
    return _view(case, actor)


@router.delete("/studies/{study_id}/decisions/{finding_id}", response_model=ReportOut)
def withdraw(
    study_id: StudyId, finding_id: FindingId, version: Version, services: ServicesDep, actor: ActorDep
) -> Any:
    """Take a decision back."""
    return _view(decisions.withdraw(services, actor, study_id, version, finding_id), actor)


@router.post("/studies/{study_id}/acknowledgements", response_model=ReportOut)
def acknowledge(study_id: StudyId, body: AcknowledgementIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Take note of a critical finding."""
    return _view(decisions.acknowledge(services, actor, study_id, body.version, body.finding_id), actor)


@router.post("/studies/{study_id}/review", response_model=ReportOut)
def review(study_id: StudyId, body: ReviewIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Mark the report as reviewed."""
    return _view(signing.review(services, actor, study_id, body.version), actor)


@router.post("/studies/{study_id}/sign", response_model=ReportOut)
def sign(study_id: StudyId, body: SignIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Sign the report; takes the password again."""
    password = body.password.get_secret_value()
    return _view(signing.sign(services, actor, study_id, body.version, password), actor)


@router.post("/studies/{study_id}/amend", response_model=ReportOut)
def amend(study_id: StudyId, body: AmendIn, services: ServicesDep, actor: ActorDep) -> Any:
    """Open a signed report again."""
    return _view(signing.amend(services, actor, study_id, body.version, body.reason), actor)


@router.get("/studies/{study_id}/versions", response_model=list[VersionOut])
def read_versions(study_id: StudyId, services: ServicesDep, actor: ActorDep) -> Any:
    """Return all versions, the last first."""
    with services.database.read() as session:
        return [vars(line) for line in versions.list_versions(session, actor, study_id)]


@router.get("/studies/{study_id}/diff", response_model=DiffOut)
def read_diff(
    study_id: StudyId,
    services: ServicesDep,
    actor: ActorDep,
    first: Annotated[int, Query(alias="from", ge=0, le=2**31 - 1)] = versions.PROPOSED,
    second: Annotated[int | None, Query(alias="to", ge=0, le=2**31 - 1)] = None,
) -> Any:
    """Return what differs between two versions; 0 is what the machine proposed, none is what stands."""
    with services.database.read() as session:
        found = versions.diff_versions(session, actor, study_id, first, second)
    return DiffOut.model_validate(found, from_attributes=True)


@router.get("/studies/{study_id}/comparison")
def read_comparison(study_id: StudyId, services: ServicesDep, actor: ActorDep) -> dict[str, Any]:
    """Return the change table against the earlier study, made from what was decided."""
    case = open_case(services, actor, study_id)
    if case.comparison is None:
        raise NotFoundError(_NO_PRIOR, code="no_prior")
    return case.comparison.to_dict()


def _view(case: Case, actor: Actor) -> dict[str, Any]:
    return ReportView(case, actor).to_dict()
