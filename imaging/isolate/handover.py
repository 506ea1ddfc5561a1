"""One private file between two processes: the request goes out in it, the answer comes back in it.

Layout: magic, length of the JSON (8 bytes, little-endian), JSON, then the arrays in C order, one after another.
The JSON tells dtype and shape of each. No pickle: bytes from a process that read a stranger's file run no code.
"""

import json
import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from imaging.isolate.records import MisfitError, from_plain, to_plain
from imaging.limits import Limits
from imaging.types import Spacing, Study
from runtime.errors import ConfigError, LimitError, NotEligibleError, SpineScribeError, StudyError, WeightsError

MAX_JSON_BYTES = 64 * 1024**2
"""Far above the text of a study of 20,000 slices."""

_MAGIC = b"SPINEHO1"
_DTYPES = {"<f4", "<f8"}
_R = TypeVar("_R")
_CODED: dict[str, type[StudyError]] = {"StudyError": StudyError, "LimitError": LimitError}
_PLAIN: dict[str, type[SpineScribeError]] = {"ConfigError": ConfigError, "WeightsError": WeightsError}
_MAX_MESSAGE = 20_000


@dataclass(frozen=True)
class Request:
    """What the child is to do; the fields are those of ``load_study``."""

    path: str
    protocol: str
    spacing: Spacing | None
    limits: Limits
    study: str | None = None


@dataclass(frozen=True)
class Failure:
    """A typed error on its way back.

    Attributes:
        kind: Class name; anything but ours is a fault of ours.
        message: Its words; of a foreign error only its type and place, as its words may quote the file.
        code: Machine-readable reason.
    """

    kind: str
    message: str
    code: str | None


@dataclass(frozen=True)
class Answer:
    """What the child found: a study or a failure, and the most memory it held in bytes."""

    study: Study | None
    failure: Failure | None
    peak_bytes: int


def write_record(stream: BinaryIO, record: object) -> None:
    """Write a record from the start of a stream, in place of what it held."""
    arrays: list[NDArray[np.generic]] = []
    plain = to_plain(record, arrays)
    layout = [{"dtype": array.dtype.str, "shape": list(array.shape)} for array in arrays]
    text = json.dumps({"record": plain, "arrays": layout}, allow_nan=False).encode("ascii")
    stream.seek(0)
    stream.truncate()
    stream.write(_MAGIC + len(text).to_bytes(8, "little") + text)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data)
    stream.flush()


def read_record(stream: BinaryIO, kind: type[_R]) -> _R:
    """Read a record from the start of a stream.

    Raises:
        MisfitError: If it does not hold one of this kind, whole and well formed.
    """
    left = stream.seek(0, os.SEEK_END) - 16
    stream.seek(0)
    head = stream.read(16)
    length = int.from_bytes(head[8:], "little")
    if head[:8] != _MAGIC or length > min(left, MAX_JSON_BYTES):
        raise MisfitError("no record, or one cut short")
    try:
        content = json.loads(stream.read(length))
        arrays = _read_arrays(stream, content["arrays"], left - length)
        return from_plain(content["record"], kind, arrays)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MisfitError(str(error)) from error


def failure_of(error: Exception) -> Failure:
    """Return an error of ours as it is, and any other without its words."""
    if isinstance(error, SpineScribeError):
        kind, message = type(error).__name__, str(error)[:_MAX_MESSAGE]
        return Failure(kind, message, getattr(error, "code", None))
    return Failure("", f"{type(error).__name__} at {_place(error)}", None)


def error_of(failure: Failure, name: str) -> SpineScribeError:
    """Return the error that a failure stands for, of the same class with the same words and code."""
    if failure.kind == "NotEligibleError":
        return NotEligibleError(failure.message, code=failure.code or "not_eligible")
    if failure.kind in _CODED:
        return _CODED[failure.kind](failure.message, code=failure.code)
    if failure.kind in _PLAIN:
        return _PLAIN[failure.kind](failure.message)
    return SpineScribeError(f"{name}: an unexpected error of ours while reading it ({failure.message[:500]})")


def _read_arrays(stream: BinaryIO, layout: Any, left: int) -> list[NDArray[np.generic]]:
    arrays = []
    for item in layout:
        shape = tuple(item["shape"])
        if item["dtype"] not in _DTYPES or any(type(size) is not int or size < 0 for size in shape):
            raise MisfitError("an array of unknown kind")
        dtype = np.dtype(item["dtype"])
        size = math.prod(shape) * dtype.itemsize
        left -= size
        if left < 0:
            raise MisfitError("arrays cut short")
        array = np.empty(shape, dtype)
        if stream.readinto(array.reshape(-1).view(np.uint8)) != size:  # type: ignore[attr-defined]
            raise MisfitError("arrays cut short")
        arrays.append(array)
    return arrays


def _place(error: BaseException) -> str:
    """Return file and line of the innermost frame of ours."""
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file:
            place = f"{os.path.basename(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
