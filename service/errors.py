"""Errors of the service, each with the HTTP status it is answered with; the words go to the user."""

from __future__ import annotations

from runtime.errors import SpineScribeError


class ServiceError(SpineScribeError):
    """Base; ``code`` is for programs.

    Args:
        reason: One sentence for the user; no path, no token, no patient.
    """

    status = 500
    code = "internal"

    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        if code is not None:
            self.code = code


class UnauthenticatedError(ServiceError):
    """Nobody is signed in."""

    status, code = 401, "unauthenticated"


class ForbiddenError(ServiceError):
    """Who is signed in may not."""

    status, code = 403, "forbidden"


class NotFoundError(ServiceError):
    """There is no such thing, or it is not the user's to see."""

    status, code = 404, "not_found"


class ConflictError(ServiceError):
    """Somebody else changed it meanwhile, or its state forbids it."""

    status, code = 409, "conflict"


class TooLargeError(ServiceError):
    """The body is larger than accepted."""

    status, code = 413, "too_large"


class UnsupportedError(ServiceError):
    """The file is of a kind that is not read."""

    status, code = 415, "unsupported"


class StaleError(ConflictError):
    """Somebody else changed the report meanwhile: what was sent is about an older version.

    Args:
        current_version: The version that stands.
    """

    code = "stale"

    def __init__(self, current_version: int) -> None:
        super().__init__(
            f"the report was changed meanwhile: version {current_version} stands now; load it and try again"
        )
        self.current_version = current_version


class InvalidError(ServiceError):
    """What was sent is wrong; the sentence says what was expected."""

    status, code = 422, "invalid"


class BusyError(ServiceError):
    """Too much at once; try again later.

    Args:
        reason: One sentence.
        retry_after_s: When.
    """

    status, code = 429, "busy"

    def __init__(self, reason: str, *, retry_after_s: int, code: str | None = None) -> None:
        super().__init__(reason, code=code)
        self.retry_after_s = retry_after_s
