"""The audit log, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from service.api.dependencies import AdministratorDep, ServicesDep
from service.api.schemas.plain import PlainText
from service.audit import AuditFilter, append, list_entries, verify_log
from service.audit.query import line_of

router = APIRouter(tags=["audit"])


class AuditPage(BaseModel):
    """Lines, the last first."""

    items: list[dict[str, Any]]
    total: int


class VerificationOut(BaseModel):
    """What walking the chain found; ``how`` is changed, missing, out_of_order or truncated."""

    intact: bool
    count: int
    head: str
    broken_at: int | None
    how: str | None
    message: str


_Text = Annotated[PlainText, Query(max_length=120)]


@router.get("/audit", response_model=AuditPage)
def read_log(
    services: ServicesDep,
    _actor: AdministratorDep,
    subject: _Text = "",
    actor: _Text = "",
    action: _Text = "",
    since: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Any:
    """Return lines of the audit log."""
    wanted = AuditFilter(subject, actor, action, since)
    with services.database.read() as session:
        entries, total = list_entries(session, wanted, limit=limit, offset=offset)
        return {"items": [line_of(entry) for entry in entries], "total": total}


@router.get("/audit/verify", response_model=VerificationOut)
def verify(
    services: ServicesDep,
    actor: AdministratorDep,
    expect_head: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")] = None,
) -> Any:
    """Walk the chain of hashes."""
    with services.database.read() as session:
        found = verify_log(session, expected_head=expect_head)
    with services.database.begin() as session:
        append(session, actor.name, "audit.verify", details={"intact": found.is_intact, "count": found.count})
    return found.to_dict()
