"""Receiving an upload: as it comes, in pieces, within the limit of size, straight to the kept files.

The event loop only passes pieces on; parsing and writing run in the thread pool. Bodies that stall or drip are
ended by ``service.security``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from service.errors import InvalidError, TooLargeError
from service.services import Services
from service.store import Blob
from service.studies.lane import run_in_lane
from service.studies.multipart import UploadForm

PIECE_BYTES = 2**20
"""Bytes that are gathered before they are parsed and written."""

_FORM_BYTES = 2**16
_DRAIN_BYTES = 64 * 2**20
_DRAIN_S = 20.0


@dataclass(frozen=True)
class Upload:
    """What came.

    Attributes:
        blob: The kept file.
        suffix: Ending of the client's name for it; the rest of the name is not kept.
        fields: The other fields of the form.
    """

    blob: Blob
    suffix: str
    fields: dict[str, str]


async def receive_upload(services: Services, request: Request) -> Upload:
    """Receive the file and the fields of a form.

    Raises:
        InvalidError: If the body is no whole form with one file.
        TooLargeError: If the file is larger than accepted.
        UnsupportedError: If the file is of a kind that is not read.
    """
    max_bytes = services.config.max_upload_bytes
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > max_bytes + _FORM_BYTES:
        raise TooLargeError(f"the file is larger than the {max_bytes // 2**20} MB that are accepted")
    with services.blobs.writer() as writer:
        form = UploadForm(request.headers.get("content-type", ""), writer, max_bytes)
        async for piece in _pieces(request):
            await run_in_lane(form.write, piece)
        form.finish()
        blob = await run_in_lane(writer.keep)
    return Upload(blob, form.suffix or "", form.fields)


async def drain(request: Request) -> None:
    """Read and drop what is still on its way of a refused body, within bounds.

    A client that is still sending would otherwise see a broken connection in place of the reason.
    """
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the stream was read to its end before
        return


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces of about ``PIECE_BYTES``."""
    gathered = bytearray()
    try:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
    except ClientDisconnect as error:
        raise InvalidError("the upload was broken off; send it again") from error
    if gathered:
        yield bytes(gathered)
