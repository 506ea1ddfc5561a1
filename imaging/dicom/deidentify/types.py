"""Records of de-identification: what is asked, what was done to a tag, what became of a file."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from runtime.errors import SpineScribeError


class Action(StrEnum):
    """What was done to an element.

    Source: the action codes of DICOM PS3.15 E.1, in words.
    """

    KEPT = "kept"
    REMOVED = "removed"
    EMPTIED = "emptied"
    REPLACED = "replaced by a constant"
    PSEUDONYM = "replaced by a pseudonym"
    REMAPPED = "UID remapped"
    SHIFTED = "date and time shifted"
    CLEANED = "cleaned to controlled words"
    ADDED = "added"


@dataclass(frozen=True)
class DeidentifyOptions:
    """What the caller chooses.

    Attributes:
        secret: Key of UIDs, pseudonyms and date shifts; the same secret gives the same ones. None draws a fresh
            one, which is forgotten after the run.
        keep_characteristics: Keep age, sex, size, weight, smoking and pregnancy status (ages above 89 become 90).
        leave_out_suspect: Do not write images that may show burned-in text; otherwise they are written, warned of,
            and not marked as free of identity.
    """

    secret: bytes | None = None
    keep_characteristics: bool = True
    leave_out_suspect: bool = False


@dataclass(frozen=True)
class Subject:
    """Who a study's elements are rewritten for.

    Attributes:
        pseudonym: New patient name and number.
        shift: Added to every date and time.
    """

    pseudonym: str
    shift: timedelta


@dataclass
class Log:
    """Counts of actions by tag, over all files; no value ever enters.

    Attributes:
        actions: (tag as ``gggg,eeee``, keyword, action, reason) -> number of elements.
    """

    actions: Counter[tuple[str, str, Action, str]] = field(default_factory=Counter)

    def add(self, tag: int, keyword: str, action: Action, reason: str = "") -> None:
        """Count one element; private, overlay and curve elements are counted by group."""
        group, element = tag >> 16, tag & 0xFFFF
        if group % 2:
            name = (f"{group:04X},xxxx", "private")
        elif group & 0xFF00 in (0x5000, 0x6000):
            name = (f"{group >> 8:02X}xx,xxxx", "curve or overlay")
        else:
            name = (f"{group:04X},{element:04X}", keyword or "unknown")
        self.actions[(*name, action, reason)] += 1


@dataclass(frozen=True)
class Outcome:
    """What became of one input file.

    Attributes:
        index: Number of the input file, from 1, in the order of the listing; the file's name is not kept.
        output: Path inside the output folder; None when the file was not written.
        reason: Why it was not written.
        is_bad: Not written because it was damaged or could not be made safe; False for what is left out by rule.
        warnings: What to look at before the file is given away.
        is_our_fault: Our own check stopped it.
    """

    index: int
    output: str | None
    reason: str | None = None
    is_bad: bool = False
    warnings: tuple[str, ...] = ()
    is_our_fault: bool = False


class IdentityLeftError(SpineScribeError, RuntimeError):
    """The check after cleaning found identity left; the file is not written. A fault of ours (exit code 1)."""
