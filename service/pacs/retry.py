"""Trying again: time-outs, broken and refused connections and busy nodes; never what would fail again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from service.pacs.errors import PacsError

_LONGEST_WAIT_S = 60.0
Result = TypeVar("Result")


def with_retries(action: Callable[[], Result], *, attempts: int, backoff_s: float) -> Result:
    """Do something, and again while it fails for a reason that may pass.

    Args:
        action: What to do.
        attempts: How often at most.
        backoff_s: Seconds before the second attempt; doubled each time, a minute at most.

    Raises:
        PacsError: The last failure.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, PacsError) and error.again),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=backoff_s, max=_LONGEST_WAIT_S),
        reraise=True,
    )
    return retrying(action)
