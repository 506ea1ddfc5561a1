"""Starts the process that exports, waits no longer than allowed, and believes only a well-formed answer."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile

from imaging.isolate.handover import error_of, read_record
from imaging.isolate.records import MisfitError
from reporting.export.archive import read_zip
from runtime.errors import SpineScribeError, StudyError
from service.errors import BusyError, ServiceError
from service.export.request import Answer, Request
from service.jobs.process import child_environment, wait_or_kill

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 20.0
"""Given on top of the time limit for the process to start on a busy machine."""
WAIT = 2
"""Times the allowed computing time that is waited by the clock, as the process has a low priority; own choice."""
AT_ONE_TIME = 2
"""Exports of one process of the service that may read studies at one time; each holds a study in memory."""
_RETRY_AFTER_S = 10
_KIND = "the export"

_slots = threading.BoundedSemaphore(AT_ONE_TIME)


def export_isolated(request: Request, folder: Path) -> tuple[Answer, IO[bytes]]:
    """Make an export in a process of its own with bounded time, memory and rights.

    Args:
        request: What to export.
        folder: Where the file lies, without a name, until it is closed.

    Returns:
        What it is, and the file; closing it removes it.

    Raises:
        BusyError: If as many exports are made already as may be.
        StudyError: If the study cannot be read again, or the format cannot be made of it.
        ServiceError: If the process took too long or died.
    """
    with _slot(), tempfile.TemporaryFile(dir=folder) as stream:
        target = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - handed to the caller
        try:
            pickle.dump(request, stream)
            stream.seek(0)
            code = _run(stream, target, WAIT * request.limits.seconds + START_S)
            return _answer(stream, code), target
        except BaseException:
            target.close()
            raise


def isolated_files(request: Request, folder: Path) -> dict[str, bytes]:
    """Return name -> content of the files of an export of several, made by ``export_isolated``.

    Args:
        request: What to export.
        folder: As there.

    Raises:
        ServiceError: If the process answered with something else, or with more than a study may hold.
    """
    _, stream = export_isolated(request, folder)
    with stream:
        try:
            return read_zip(stream, request.limits.study_bytes)
        except (BadZipFile, OverflowError) as error:
            raise ServiceError(
                "the process that made the export gave no usable files", code="export_died"
            ) from error


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(blocking=False):
        raise BusyError(
            "other exports are being made; try again in a moment",
            retry_after_s=_RETRY_AFTER_S,
            code="exports_busy",
        )
    try:
        yield
    finally:
        _slots.release()


def _run(stream: IO[bytes], target: IO[bytes], seconds: float) -> int | None:
    """Run the process to its end; return its exit code, None when it took too long and was ended."""
    environment = child_environment() | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "service.export.child", str(target.fileno())],
        stdin=stream,
        stdout=subprocess.DEVNULL,  # C decoders write there, and may quote the file
        stderr=subprocess.DEVNULL,
        pass_fds=[target.fileno()],
        env=environment,
        start_new_session=True,
    )
    return wait_or_kill(process, seconds)


def _answer(stream: IO[bytes], code: int | None) -> Answer:
    if code is None or code == -signal.SIGXCPU:
        raise ServiceError("the export took too long and was stopped", code="export_too_long")
    if code != 0:
        raise ServiceError(
            "the process that made the export ended without one; the study may be too large for its memory",
            code="export_died",
        )
    try:
        answer = read_record(stream, Answer)  # type: ignore[arg-type]
    except MisfitError as error:
        raise ServiceError("the process that made the export gave no answer", code="export_died") from error
    if answer.failure is not None:
        raise _told(error_of(answer.failure, _KIND))
    return answer


def _told(error: SpineScribeError) -> SpineScribeError:
    """Return an error of the study as the user may read it, and any other as a fault of ours."""
    return error if isinstance(error, StudyError) else SpineScribeError(f"{_KIND}: {error}")
