"""New identifiers from a secret: the same secret and the same original always give the same result.

All are HMAC-SHA-256 of the original, each under its own label, so that no result tells the original, or another
result, to who does not hold the secret. The secret is never written.
"""

import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta

from imaging.dicom.deidentify.types import Subject
from runtime.errors import ConfigError

MIN_SECRET_BYTES = 16
"""128 bits, as the identifiers made from it. Own choice."""

MIN_SHIFT_DAYS, MAX_SHIFT_DAYS = 365, 3650
"""Dates move back by at least one and at most about ten years: far enough to hide the season and the year, near
enough to stay in the age of MR. Own choice."""

_DAY_SECONDS = 86_400


class Keys:
    """Makes identifiers from one secret.

    Args:
        secret: At least ``MIN_SECRET_BYTES``; None draws a fresh one.

    Raises:
        ConfigError: If the secret is too short.
    """

    def __init__(self, secret: bytes | None) -> None:
        if secret is not None and len(secret) < MIN_SECRET_BYTES:
            raise ConfigError(
                f"secret: expected at least {MIN_SECRET_BYTES} bytes, got {len(secret)}; make one with "
                "`openssl rand -hex 32`"
            )
        self._secret = secrets.token_bytes(32) if secret is None else secret

    def uid(self, original: str) -> str:
        """Return the new UID of an original one: 2.25 and a 128-bit number (PS3.5 B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', original.strip())[:16], version=5).int}"

    def subject(self, patient_key: str) -> Subject:
        """Return pseudonym and date shift of a patient; whole seconds, so that fractions of times stay."""
        number = int.from_bytes(self._digest("shift", patient_key)[:8], "big")
        days, rest = divmod(number, _DAY_SECONDS)
        span = MAX_SHIFT_DAYS - MIN_SHIFT_DAYS
        shift = timedelta(days=MIN_SHIFT_DAYS + days % span, seconds=rest)
        return Subject("SPINE-" + self._digest("patient", patient_key).hex()[:12].upper(), -shift)

    def order(self, original: str) -> bytes:
        """Return a sort key that tells nothing of the original."""
        return self._digest("order", original)

    def _digest(self, label: str, original: str) -> bytes:
        message = label.encode() + b"\0" + original.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, message, hashlib.sha256).digest()
