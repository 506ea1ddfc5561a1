"""Types that requests share: ids, versions, and text without signs that no keyboard writes."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, Field

_BREAKS = frozenset("\n\r\t")
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of writing: what is shown would not be what is stored."""


def without_controls(text: str) -> str:
    """Return a text; one with control signs, half characters or turned writing is refused.

    Raises:
        ValueError: If there is any.
    """
    if any(
        sign in _TURNS or (sign not in _BREAKS and unicodedata.category(sign) in ("Cc", "Cs")) for sign in text
    ):
        raise ValueError("control characters are not taken")
    return text


PlainText = Annotated[str, AfterValidator(without_controls)]
"""Text of a user."""

StudyId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$")]
"""Id of a study in a path."""

FindingId = Annotated[str, Field(pattern=r"^[a-z][0-9]{1,6}$")]
"""Id of a finding, such as ``g12``."""

Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""The version that the sender saw."""
