"""Passwords: which are accepted, and how they are kept (argon2id; never in plain, never in a log line).

There is no default password. A name that does not exist takes as long to refuse as a wrong password. Only a few
hashes are made at once, since each takes 64 MiB: a crowd at the door cannot fill the memory.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import InvalidError

MINIMUM_LENGTH = 12
"""Shortest password, in characters. Source: above NIST SP 800-63B's 8."""

MAXIMUM_LENGTH = 256
"""Longest password, in characters."""

_LEAST_DISTINCT = 5
_PRODUCT = "spinescribe"
_SHORTEST_NAME_PART = 4  # shorter parts of a name are found in honest passwords by chance

_hasher = PasswordHasher()
_few = threading.BoundedSemaphore(4)


def check_new_password(password: str, *, name: str, display_name: str = "") -> None:
    """Accept a new password or say what is wrong with it.

    Args:
        password: The password.
        name: Name of the user.
        display_name: Name under the user's reports.

    Raises:
        InvalidError: If it is too short or too long, too uniform, or made of the user's name or ours.
    """
    plain = _normal(password)
    if not MINIMUM_LENGTH <= len(plain) <= MAXIMUM_LENGTH:
        raise InvalidError(
            f"the password must have {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters", code="weak_password"
        )
    if len(set(plain)) < _LEAST_DISTINCT:
        raise InvalidError(
            f"the password must have at least {_LEAST_DISTINCT} different characters", code="weak_password"
        )
    folded = plain.casefold()
    if any(word in folded for word in _words_of(name, display_name)):
        raise InvalidError("the password must not contain your name or that of the service", code="weak_password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its parameters and salt."""
    with _few:
        return _hasher.hash(_normal(password))


def verify(stored: str | None, password: str) -> bool:
    """Return whether a password is the stored one; as slow for users who have none.

    Args:
        stored: Hash of the table, or None for no user or one without a password.
        password: What was given.
    """
    given = _normal(password[: MAXIMUM_LENGTH + 1])
    reference = stored or _nobodys_hash()
    with _few:
        try:
            _hasher.verify(reference, given)
        except (VerificationError, InvalidHashError):
            return False
    return bool(stored)


def needs_rehash(stored: str) -> bool:
    """Return whether a hash was made with parameters that are no longer those in use."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("a password of nobody")


def _normal(password: str) -> str:
    """Return one form of a password, whatever keyboard composed its accents (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _words_of(name: str, display_name: str) -> set[str]:
    parts = {name, *name.replace("@", ".").split("."), *display_name.split()}
    return {_PRODUCT} | {part.casefold() for part in parts if len(part) >= _SHORTEST_NAME_PART}
