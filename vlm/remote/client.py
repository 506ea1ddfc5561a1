"""One chat completion over HTTP: time-outs, retries with back-off, structured errors. Knows nothing of reports.

Tried again: 429, 5xx, time-outs, broken or refused connections. Not tried again: what would fail again. Neither
key nor answer of a failing server is ever part of a message or a log line.
"""

import json
import logging
import time
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from runtime.errors import WriterError
from vlm.remote.config import RemoteConfig

_logger = logging.getLogger(__name__)
_MAX_BYTES = 1_000_000  # of an answer; a slot has a few hundred characters
_MAX_WAIT_S = 8.0
_AGAIN = frozenset({"timeout", "connection", "rate_limited", "server_error"})
_OK = 200


class _AttemptError(WriterError):
    """A failed attempt; ``retry_after_s`` is what the server asked to wait."""

    def __init__(self, reason: str, *, code: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason, code=code)
        self.retry_after_s = retry_after_s


class ChatClient:
    """Talks to one server.

    Args:
        config: Address, model and limits.
        key: The server's key; None sends none.
    """

    def __init__(self, config: RemoteConfig, key: str | None) -> None:
        self._config = config
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # Proxies and .netrc of the environment are not used: what is sent goes to the configured address alone.
        self._http = httpx.Client(headers=headers, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def complete(self, messages: list[dict[str, Any]], *, deadline: float) -> tuple[str, bool]:
        """Return the answer to a conversation.

        Args:
            messages: Turns in the server's form.
            deadline: ``time.monotonic()`` at which to give up.

        Returns:
            The text, and whether it was cut off by its length.

        Raises:
            WriterError: When all attempts failed or time is up; ``code`` says how.
        """
        body = {
            "model": self._config.model,
            "messages": messages,
            "temperature": 0,
            "seed": 0,
            "n": 1,
            "stream": False,
            "max_tokens": self._config.max_tokens,
        }
        attempts = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, _AttemptError) and error.code in _AGAIN),
            stop=lambda state: stop_after_attempt(self._config.attempts)(state) or self._is_late(state, deadline),
            wait=self._wait,
            reraise=True,
        )
        return attempts(self._attempt, body, deadline)

    def _is_late(self, state: RetryCallState, deadline: float) -> bool:
        return time.monotonic() + self._wait(state) >= deadline

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt: doubled each time, or what the server asked for."""
        outcome = state.outcome
        error = None if outcome is None else outcome.exception()
        asked = error.retry_after_s if isinstance(error, _AttemptError) else 0.0
        own = self._config.backoff_s * 2.0 ** (state.attempt_number - 1)
        return max(asked, min(own, _MAX_WAIT_S))

    def _attempt(self, body: dict[str, Any], deadline: float) -> tuple[str, bool]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise _AttemptError("the remote writer took too long", code="timeout")
        limit = min(left, self._config.timeout_s)
        try:
            status, headers, content = self._post(body, limit)
        except httpx.TimeoutException as error:
            raise _AttemptError("the remote writer did not answer in time", code="timeout") from error
        except httpx.HTTPError as error:
            raise _AttemptError(
                f"the remote writer could not be reached ({type(error).__name__})", code="connection"
            ) from error
        if status != _OK:
            _logger.warning("remote writer: status %d", status)
            raise _refusal(status, headers)
        return _read_answer(content)

    def _post(self, body: dict[str, Any], limit_s: float) -> tuple[int, httpx.Headers, bytes]:
        """Send a request; the limit holds for the whole answer, not for each piece of it."""
        until = time.monotonic() + limit_s
        with self._http.stream(
            "POST", f"{self._config.url}/chat/completions", json=body, timeout=limit_s
        ) as response:
            content = b""
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MAX_BYTES:
                    raise WriterError("the remote writer's answer is too long", code="malformed")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("answer took too long")
            return response.status_code, response.headers, content


def _refusal(status: int, headers: httpx.Headers) -> _AttemptError:
    """Return the error of a status that is not 200."""
    if status in (401, 403):
        return _AttemptError(f"the remote writer refused the key (status {status})", code="unauthorised")
    if status == 429:
        return _AttemptError(
            "the remote writer is busy (status 429)", code="rate_limited", retry_after_s=_retry_after(headers)
        )
    if status >= 500:
        return _AttemptError(
            f"the remote writer failed (status {status})", code="server_error", retry_after_s=_retry_after(headers)
        )
    return _AttemptError(f"the remote writer refused the request (status {status})", code="refused")


def _retry_after(headers: httpx.Headers) -> float:
    """Return the seconds of ``Retry-After``; a date there counts as none."""
    try:
        return max(0.0, float(headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def _read_answer(content: bytes) -> tuple[str, bool]:
    try:
        choice = json.loads(content)["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise WriterError("the remote writer's answer is not a chat completion", code="malformed") from error
    if not isinstance(text, str):
        raise WriterError("the remote writer's answer holds no text", code="malformed")
    return text, choice.get("finish_reason") == "length"
