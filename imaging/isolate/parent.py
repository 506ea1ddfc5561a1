"""Starts the process that reads, waits no longer than allowed, and believes only a well-formed answer."""

import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np

from imaging.isolate.handover import Answer, Request, error_of, read_record, write_record
from imaging.isolate.records import MisfitError
from imaging.limits import Limits, applied, exceeded
from imaging.types import Series, Spacing, Study
from runtime.errors import StudyError
from runtime.names import shown_name

_log = logging.getLogger(__name__)

START_SECONDS = 10.0
"""Given on top of the time limit for the process to start; usually it takes 0.3 s."""

_ROOT = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = (
    "PATH", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "LD_LIBRARY_PATH", "SPINESCRIBE_WEIGHTS",
)  # fmt: skip


def load_study_isolated(
    path: Path,
    *,
    protocol: str = "auto",
    spacing: Spacing | None = None,
    limits: Limits | None = None,
    study: int | str | None = None,
) -> Study:
    """Read a study as ``load_study`` does, in a process of its own with bounded time, memory and rights.

    Args:
        path: Picture, NIfTI file, DICOM file, folder or zip.
        protocol: As for ``load_study``.
        spacing: As for ``load_study``.
        limits: How much it may take in; None keeps those that hold (``imaging.limits.applied``).
        study: As for ``load_study``.

    Returns:
        The same study as ``load_study``, voxel for voxel.

    Raises:
        StudyError: If the input cannot be read, or the process died of it.
        LimitError: If it passes a limit; time and memory are among them.
        NotEligibleError: As for ``load_study``.
        ConfigError: If there is no such protocol.
        SpineScribeError: If an error that nobody thought of came up, a fault of ours.
    """
    name = shown_name(path.name)
    with applied(limits) as held, tempfile.TemporaryFile() as stream:
        request = Request(str(path.absolute()), protocol, spacing, held, None if study is None else str(study))
        write_record(stream, request)
        stream.seek(0)
        started = time.monotonic()
        code = _run(stream, held.seconds + START_SECONDS)
        if code != 0:
            raise _death(code, name, held)
        answer = _read_answer(stream, name)
    _log.debug("isolated reading: %.2f s, peak %.0f MB", time.monotonic() - started, answer.peak_bytes / 1e6)
    if answer.failure is not None:
        raise error_of(answer.failure, name)
    return _checked(answer.study, name)


def _run(stream: BinaryIO, seconds: float) -> int | None:
    """Run the child to its end.

    Returns:
        Its exit code (minus the signal that ended it), or None when it took too long and was ended.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-W", "ignore", "-m", "imaging.isolate.child"],
        stdin=stream,
        stdout=subprocess.DEVNULL,  # C decoders write there, and may quote the file
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
    )
    try:
        return process.returncode if _ended(process, seconds) else None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process; a descriptor of it, where the system has one, wakes without delay."""
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return False
        finally:
            os.close(descriptor)
        process.wait()
        return True
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _environment() -> dict[str, str]:
    """Return what the child needs; no key or password of this process goes along."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **one_thread, "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"}


def _death(code: int | None, name: str, limits: Limits) -> StudyError:
    if code is None or code == -signal.SIGXCPU:
        return exceeded(
            "seconds",
            f"{name}: expected to be read within {limits.seconds:g} s, found that it takes longer and was "
            "stopped; export the study again, or in parts",
        )
    how = f"{signal.Signals(-code).name} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
    return StudyError(
        f"{name}: expected an image that can be decoded, found one that ended the reading process: {how}; the "
        "file is damaged, made to do harm or too large for the memory: send it again, uncompressed if need be",
        code="reader_died",
    )


def _read_answer(stream: BinaryIO, name: str) -> Answer:
    try:
        return read_record(stream, Answer)
    except MisfitError as error:
        raise StudyError(
            f"{name}: expected a study from the reading process, found an answer that cannot be understood "
            f"({error})",
            code="reader_died",
        ) from error


def _checked(study: Study | None, name: str) -> Study:
    """Return the study if it is one: finite voxels of three axes, a regular affine."""
    if study is None or not all(_is_sound(series) for series in study.series):
        raise StudyError(
            f"{name}: expected finite images from the reading process, found none", code="reader_died"
        )
    return study


def _is_sound(series: Series) -> bool:
    volume = series.volume
    affine = volume.affine
    is_placed = affine is None or (affine.shape == (4, 4) and bool(np.isfinite(affine).all()))
    return volume.array.ndim == 3 and volume.array.size > 0 and bool(np.isfinite(volume.array).all()) and is_placed
