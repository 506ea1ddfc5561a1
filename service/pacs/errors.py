"""What goes wrong with a node, in words, and whether trying again may help."""

from __future__ import annotations

from runtime.errors import SpineScribeError


class PacsError(SpineScribeError):
    """A node did not do what it was asked.

    Exit code 2: it is the node, the network or the configuration, not a fault of ours.

    Args:
        reason: One sentence for the user; no patient, no token, no query.
        code: For programs: ``unreachable`` (nothing listens, or TLS was not agreed), ``timeout``, ``refused`` (the
            association, the login or the request), ``aborted`` (the connection broke off), ``busy``,
            ``not_found``, ``incomplete``, ``port_taken``, ``failed`` (any other status) or ``malformed``.
        again: Whether the same request may succeed later.
    """

    exit_code = 2

    def __init__(self, reason: str, *, code: str, again: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.again = again
