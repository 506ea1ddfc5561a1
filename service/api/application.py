"""The FastAPI application of a set of routers; errors are answered as ``{"error": {"code", "message"}}``.

Nothing of an unexpected error reaches the user but that it happened; the server's log has the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from runtime.errors import SpineScribeError
from service.errors import BusyError, ServiceError, StaleError
from service.services import Services

logger = logging.getLogger(__name__)

API = "/api/v1"
_CODES = {401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class ErrorWords(BaseModel):
    """``code`` is for programs, ``message`` one sentence for the user."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """What every refused request is answered with; a stale version also names the one that stands."""

    error: ErrorWords
    current_version: int | None = None


def build_api(services: Services, routers: Iterable[APIRouter]) -> FastAPI:
    """Return an application with the routers under ``/api/v1``; ``service.web`` adds the rest."""
    app = FastAPI(
        title="SpineScribe", version="1", openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None
    )
    app.state.services = services
    for router in routers:
        app.include_router(router, prefix=API, responses={"4XX": {"model": ErrorAnswer, "description": "Refused"}})
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(SpineScribeError, _study_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(DataError, _data_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)
    return app


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as every route answers it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


def _service_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    if isinstance(error, StaleError):
        body = {"error": {"code": error.code, "message": str(error)}, "current_version": error.current_version}
        return JSONResponse(body, status_code=error.status)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BusyError) else None
    return error_response(error.status, error.code, str(error), headers)


def _study_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the pipeline: what the user sent is wrong (422), or a fault of ours (500)."""
    assert isinstance(error, SpineScribeError)
    if error.exit_code in (2, 3):
        return error_response(422, str(getattr(error, "code", None) or "invalid"), str(error))
    logger.error("a request failed: %s", type(error).__name__, exc_info=error)
    return error_response(500, "internal", "something went wrong on our side; the server's log says more")


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    """Say which field is wrong, without repeating what was sent (it may be a password)."""
    assert isinstance(error, RequestValidationError)
    told = "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:5]
    )
    return error_response(422, "invalid", told)


def _data_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer a text that the database cannot hold: PostgreSQL takes no NUL. Its words may quote what was sent."""
    logger.warning(
        "a request held what the database cannot keep: %s", type(getattr(error, "orig", error)).__name__
    )
    return error_response(422, "invalid", "a text holds a character that cannot be kept, or is too long")


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    return error_response(error.status_code, code, str(error.detail), dict(error.headers or {}))


def _fault(_request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed: %s", type(error).__name__, exc_info=error)
    return error_response(500, "internal", "something went wrong on our side; the server's log says more")
