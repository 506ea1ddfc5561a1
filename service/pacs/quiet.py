"""Silence of the network libraries: their logs quote identifiers, addresses with queries, and headers.

What they would say of a failure is said by our own errors.
"""

from __future__ import annotations

import logging

_LIBRARIES = ("pynetdicom", "dicomweb_client", "urllib3", "retrying")


def silence_libraries() -> None:
    """Let none of the libraries log, whatever the level of the root logger."""
    from pynetdicom import _config

    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
    for name in _LIBRARIES:
        # Above CRITICAL, and for their children too, which have no level of their own.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
