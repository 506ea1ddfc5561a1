"""DIMSE statuses in words. Source: DICOM PS3.4, B.2.3 (C-STORE), C.4 (C-FIND, C-MOVE, C-GET); PS3.7, annex C."""

from __future__ import annotations

from service.pacs.errors import PacsError

SUCCESS = 0x0000
DUPLICATE = 0x0111
SOME_FAILED = 0xB000
PENDING = (0xFF00, 0xFF01)
_WORDS = {
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0122: "it does not take this kind of object",
    0x0124: "we may not do this",
    0x0210: "duplicate invocation",
    0x0211: "it does not know the operation",
    0x0212: "mistyped argument",
    0xA801: "it does not know us as a destination: our AE title, host and port must be registered there",
    0xFE00: "it cancelled the operation",
}
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_DOES_NOT_MATCH = range(0xA900, 0xAA00)
_CANNOT_PROCESS = range(0xC000, 0xD000)


def is_stored(status: int) -> bool:
    """Return whether a node holds an instance after this answer to a C-STORE; with warnings (B000 to BFFF) too."""
    return status in (SUCCESS, DUPLICATE) or 0xB000 <= status <= 0xBFFF


def may_pass(status: int) -> bool:
    """Return whether the same request may succeed later."""
    return status in _OUT_OF_RESOURCES


def words(status: int) -> str:
    """Return what a status says, with its number."""
    if status in _WORDS:
        text = _WORDS[status]
    elif status in _OUT_OF_RESOURCES:
        text = "it is out of resources"
    elif status in _DOES_NOT_MATCH:
        text = "the data do not match their kind of object, or the query is wrong"
    elif status in _CANNOT_PROCESS:
        text = "it cannot understand or process the request"
    else:
        text = "it did not do it"
    return f"{text} (status {status:04X})"


def refusal(what: str, status: int) -> PacsError:
    """Return the error of a request that a node did not fulfil."""
    is_busy = may_pass(status)
    return PacsError(f"{what}: {words(status)}", code="busy" if is_busy else "failed", again=is_busy)
