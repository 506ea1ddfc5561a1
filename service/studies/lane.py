"""Uploads have a few threads of their own: a burst of them does not keep the pages waiting.

Every other route shares the threads of the server; an upload that waits there for the disk or for the lock of the
database would hold one of them, and a hundred uploads all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

UPLOAD_THREADS = 2

_P = ParamSpec("_P")
_T = TypeVar("_T")
_lane: RunVar[CapacityLimiter] = RunVar("service.studies.lane")  # a limiter belongs to one event loop


async def run_in_lane(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a blocking function in the upload threads of this event loop."""
    limiter = _lane.get(None)
    if limiter is None:
        limiter = CapacityLimiter(UPLOAD_THREADS)
        _lane.set(limiter)
    return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=limiter)
