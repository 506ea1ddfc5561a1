"""Narratives: what people see of a resource. All text is escaped: XHTML of ours, words of anyone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from reporting.fhir.context import Resource

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_XHTML = "http://www.w3.org/1999/xhtml"


def plain(text: str) -> str:
    """Return text for a FHIR string.

    Control characters, which neither FHIR nor XHTML may hold, become blanks. A ``<`` that could begin a tag gets a
    blank behind it: a receiver that takes a string for HTML runs nothing.
    """
    return _TAG.sub("< ", _FORBIDDEN.sub(" ", text))


def narrative(lines: Iterable[str]) -> Resource:
    """Return a Narrative of paragraphs.

    Args:
        lines: Plain text; a line that is empty is left out.
    """
    told = "".join(f"<p>{escape(plain(line))}</p>" for line in lines if line.strip())
    return {"status": "generated", "div": f'<div xmlns="{_XHTML}">{told}</div>'}
