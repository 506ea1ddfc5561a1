"""Health for service managers and load balancers, without a sign-in: does it serve, can it work.

``/healthz`` tells that the process answers; restart it when it does not. ``/readyz`` tells that studies can be
accepted and read: the database answers, the disk has room, a worker was heard of. It says which of these fails and
nothing else: no path, no address, no version.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from service.api.dependencies import ServicesDep
from service.services import Services
from service.store.base import now
from service.store.tables import WorkerBeat

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])

SPARE_BYTES = 2**30
"""Free space on the disk of ``home`` below which no study should be accepted."""

Word = Literal["ok", "failed"]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the service can accept and read studies, and which part of it cannot."""

    status: Literal["ready", "not_ready"]
    database: Word
    disk: Word
    worker: Word


@router.get("/healthz")
async def health() -> Health:
    """Answer that the process serves; on the event loop, so that busy threads do not hold it up."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness}})
def readiness(services: ServicesDep, response: Response) -> Readiness:
    """Answer whether the service can work: 200, or 503."""
    words: dict[str, Word] = {
        name: "ok" if _holds(name, check, services) else "failed" for name, check in _CHECKS.items()
    }
    is_ready = set(words.values()) == {"ok"}
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ready" if is_ready else "not_ready", **words)


def _database_answers(services: Services) -> bool:
    with services.database.read() as session:
        return bool(session.scalar(text("SELECT 1")) == 1)


def _disk_has_room(services: Services) -> bool:
    return shutil.disk_usage(services.config.home).free >= SPARE_BYTES


def _worker_is_heard(services: Services) -> bool:
    """Return whether any worker was heard of within a job's lease: after it, its job is given to another."""
    with services.database.read() as session:
        heard_at = session.scalar(select(func.max(WorkerBeat.heard_at)))
    return heard_at is not None and now() - heard_at < timedelta(seconds=services.config.lease_s)


_CHECKS: dict[str, Callable[[Services], bool]] = {
    "database": _database_answers,
    "disk": _disk_has_room,
    "worker": _worker_is_heard,
}


def _holds(name: str, check: Callable[[Services], bool], services: Services) -> bool:
    try:
        return check(services)
    except (SQLAlchemyError, OSError) as error:
        logger.warning("readiness: %s failed (%s)", name, type(error).__name__)
        return False
