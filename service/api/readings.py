"""Routes of a reading: its document, its files, and what the image viewer shows.

Slices never change: they are answered with an ETag and may be kept by the browser, for this sign-in alone
(``Vary: Cookie``).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import FileResponse, JSONResponse

from service.api.dependencies import ActorDep, ServicesDep
from service.api.schemas.readings import FileRow, ViewerManifest
from service.viewing.store import Piece, ViewerStore
from service.viewing.views import log_download, view_reading

router = APIRouter(prefix="/readings/{reading_id}", tags=["readings"])

ReadingId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
SeriesId = Annotated[str, Path(max_length=64)]
FindingId = Annotated[str, Path(max_length=80)]
FileName = Annotated[str, Path(max_length=120)]
SliceIndex = Annotated[int, Path(ge=0, le=100_000)]
IfNoneMatch = Annotated[str | None, Header()]

_KEPT = {"Cache-Control": "private, max-age=86400, immutable", "Vary": "Cookie"}
_CHECKED = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
_SAFE = {"X-Content-Type-Options": "nosniff"}
_OCTETS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "Not modified"},
}
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "Not modified"},
}


@router.get("")
def get_reading(reading_id: ReadingId, services: ServicesDep, actor: ActorDep) -> dict[str, Any]:
    """Return reading.json."""
    return view_reading(services, actor, reading_id, document=True).document


@router.get("/files")
def list_files(reading_id: ReadingId, services: ServicesDep, actor: ActorDep) -> list[FileRow]:
    """Return the files to download."""
    store = _store(services, actor, reading_id)
    return [FileRow(name=item.name, bytes=item.bytes, media_type=item.media_type) for item in store.downloads()]


@router.get("/files/{name}", response_class=FileResponse, responses=_OCTETS)
def get_file(
    reading_id: ReadingId,
    name: FileName,
    services: ServicesDep,
    actor: ActorDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return a file, as an attachment."""
    reading = view_reading(services, actor, reading_id)
    file, path = ViewerStore(services.blobs, reading).download(name)
    headers = {**_CHECKED, **_SAFE, "ETag": f'"{file.sha256}"'}
    if _is_known(if_none_match, file.sha256):
        return Response(status_code=304, headers=headers)
    log_download(services, actor, reading, file.name)
    return FileResponse(path, media_type=file.media_type, filename=file.name, headers=headers)


@router.get("/viewer", response_model=ViewerManifest, responses={304: {"description": "Not modified"}})
def get_viewer(
    reading_id: ReadingId, services: ServicesDep, actor: ActorDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Return what the viewer needs to know before the first slice."""
    store = _store(services, actor, reading_id)
    headers = {**_CHECKED, "ETag": f'"{store.version()}"'}
    manifest = ViewerManifest.model_validate(store.manifest())
    if _is_known(if_none_match, store.version()):
        return Response(status_code=304, headers=headers)
    return JSONResponse(manifest.model_dump(), headers=headers)


@router.get("/series/{series_id}/slices/{k}", response_class=Response, responses=_OCTETS)
def get_slice(
    reading_id: ReadingId,
    series_id: SeriesId,
    k: SliceIndex,
    services: ServicesDep,
    actor: ActorDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return a slice: int16, little endian, rows x columns as displayed."""
    return _answer(_store(services, actor, reading_id).slice_values(series_id, k), if_none_match)


@router.get("/series/{series_id}/labels/{k}", response_class=Response, responses=_OCTETS)
def get_labels(
    reading_id: ReadingId,
    series_id: SeriesId,
    k: SliceIndex,
    services: ServicesDep,
    actor: ActorDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the label map of a slice: uint16, little endian, in the layout of the slice."""
    return _answer(_store(services, actor, reading_id).slice_labels(series_id, k), if_none_match)


@router.get("/saliency/{finding_id}", response_class=Response, responses=_PNG)
def get_saliency(
    reading_id: ReadingId,
    finding_id: FindingId,
    services: ServicesDep,
    actor: ActorDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return where a network looked for a positive grade: PNG with alpha; its slice is in the headers."""
    store = _store(services, actor, reading_id)
    found = store.heat(finding_id)
    headers = {
        **_KEPT,
        "ETag": f'"{found.file.sha256}"',
        "X-Series": found.series_id,
        "X-Slice": str(found.slice_index),
    }
    if _is_known(if_none_match, found.file.sha256):
        return Response(status_code=304, headers=headers)
    return FileResponse(store.path(found.file), media_type="image/png", headers={**headers, **_SAFE})


def _store(services: ServicesDep, actor: ActorDep, reading_id: str) -> ViewerStore:
    return ViewerStore(services.blobs, view_reading(services, actor, reading_id))


def _answer(piece: Piece, if_none_match: str | None) -> Response:
    headers = {**_KEPT, "ETag": f'"{piece.etag}"'}
    if _is_known(if_none_match, piece.etag):
        return Response(status_code=304, headers=headers)
    return Response(piece.content, media_type="application/octet-stream", headers={**headers, **_SAFE})


def _is_known(if_none_match: str | None, etag: str) -> bool:
    """Return whether the asker has the content of an ETag already."""
    if if_none_match is None:
        return False
    given = {item.strip().removeprefix("W/").strip('"') for item in if_none_match.split(",")}
    return etag in given or "*" in given
