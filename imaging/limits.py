"""How much an input may hold and cost: the first wall against bombs and mistakes.

The sizes are ours, set well above any spine study: the largest routine spine series (isotropic 3-D of a whole
spine) has about 2^26 voxels; a study of twenty series has about 1,500 files and 1 GiB.

Each limit has a name, and the error of passing it carries that name (``limit_voxels``). Time and memory can only
be held by a process of its own (``imaging.isolate``). A caller with other limits says so with ``applied``; nothing
global changes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields

from runtime.errors import ConfigError, LimitError, StudyError

MIN_SIDE = 16
"""Pixels of the shorter side of a slice; own choice: a disc alone is larger on any routine slice."""


@dataclass(frozen=True)
class Limits:
    """How much one reading may take in. All own choices, well above a large spine study."""

    file_bytes: int = 2 * 1024**3
    """Size of one file, or of one member of a zip once unpacked."""
    study_bytes: int = 4 * 1024**3
    """Sum of all files of a folder, or of all members of a zip once unpacked."""
    entries: int = 20_000
    """Files of a folder or members of a zip."""
    folder_depth: int = 32
    """Folders within folders."""
    voxels: int = 2**28
    """Voxels of all series of a study together."""
    picture_pixels: int = 2**26
    """Pixels of a picture (8192 x 8192)."""
    zip_ratio: int = 200
    """Unpacked size over packed size of a zip; looked at only past ``zip_ratio_from_bytes``, as a small study of
    black slices packs well."""
    zip_ratio_from_bytes: int = 256 * 1024**2
    """Unpacked size from which on ``zip_ratio`` is looked at."""
    sequence_depth: int = 32
    """DICOM sequences within sequences; an enhanced MR object has about 4."""
    elements: int = 500_000
    """Elements, items and fragments of one DICOM file; an enhanced MR object has about 40 for each frame."""
    header_bytes: int = 256 * 1024**2
    """Elements before the pixels of one DICOM file."""
    seconds: float = 120.0
    """Time that reading may take, both by the clock and of computing."""
    memory_bytes: int = 4 * 1024**3
    """Address space of the process that reads."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ConfigError(f"limits: expected {field.name} above 0, got {value!r}")


DEFAULT = Limits()
_applied: ContextVar[Limits] = ContextVar("limits")


def current() -> Limits:
    """Return the limits of this context; the defaults where none were applied (also in a fresh thread)."""
    return _applied.get(DEFAULT)


@contextmanager
def applied(limits: Limits | None) -> Iterator[Limits]:
    """Use other limits inside the block; None keeps those that hold."""
    if limits is None:
        yield current()
        return
    token = _applied.set(limits)
    try:
        yield limits
    finally:
        _applied.reset(token)


def exceeded(limit: str, message: str) -> LimitError:
    """Return the error for a limit of ``Limits``, by its name."""
    return LimitError(message, code=f"limit_{limit}")


def check_file_size(name: str, size: int) -> None:
    """Refuse an empty file and one that is too large.

    Raises:
        StudyError: If the size is 0.
        LimitError: If it is above ``file_bytes``.
    """
    if size == 0:
        raise StudyError(f"{name}: expected an image, found an empty file (0 bytes)", code="empty_file")
    most = current().file_bytes
    if size > most:
        raise exceeded("file_bytes", f"{name}: expected at most {most} bytes, found {size}")


def check_study_size(name: str, *, entries: int, size: int) -> None:
    """Refuse a folder or zip with too many files or too many bytes.

    Raises:
        LimitError: If either limit is passed.
    """
    limits = current()
    if entries > limits.entries:
        message = f"{name}: expected at most {limits.entries} files in one study, found {entries}"
        raise exceeded("entries", message)
    if size > limits.study_bytes:
        message = f"{name}: expected at most {limits.study_bytes} bytes in one study, found {size}"
        raise exceeded("study_bytes", message)


def check_voxels(name: str, voxels: int) -> None:
    """Refuse an image that is too large to hold in memory.

    Raises:
        LimitError: If there are more than ``voxels``.
    """
    most = current().voxels
    if voxels > most:
        raise exceeded("voxels", f"{name}: expected at most {most} voxels in one study, found {voxels}")


def check_side(name: str, columns: int, rows: int) -> None:
    """Refuse a slice that is too small to show anything.

    Raises:
        StudyError: If a side has fewer than ``MIN_SIDE`` pixels.
    """
    if min(columns, rows) < MIN_SIDE:
        raise StudyError(
            f"{name}: expected a slice of at least {MIN_SIDE} x {MIN_SIDE} pixels, found {columns} x {rows}",
            code="too_few_pixels",
        )


def check_folder_depth(name: str, depth: int) -> None:
    """Refuse folders nested too deep.

    Raises:
        LimitError: If there are more than ``folder_depth`` folders within folders.
    """
    most = current().folder_depth
    if depth > most:
        raise exceeded("folder_depth", f"{name}: expected at most {most} folders within folders, found {depth}")
