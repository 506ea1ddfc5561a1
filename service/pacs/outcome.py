"""What became of sending and of fetching."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What became of a file that was to be sent.

    Attributes:
        file: The file.
        is_stored: Whether the node holds it now.
        reason: Why not, or what the node said beside; empty when there is nothing to say.
        again: Whether sending it again may help.
    """

    file: Path
    is_stored: bool
    reason: str = ""
    again: bool = False


@dataclass(frozen=True)
class Transfer:
    """What a node tells of a transfer of its own; None is what it did not tell.

    Attributes:
        announced: Instances that it set out to send.
        failed: Instances that it could not send.
    """

    announced: int | None = None
    failed: int = 0


@dataclass(frozen=True)
class Fetched:
    """A study in a folder.

    Attributes:
        expected: Instances that the node has of it, the most that any of its answers told; None when none told.
        instances: Instances that arrived.
        new: Of these, files written now.
        known: Of these, instances whose file was there before.
        differing: Arrivals with other bytes than the instance's file, which stayed as it was.
        reason: Why the study is not whole; None when it is, as far as the node tells.
    """

    expected: int | None
    instances: int
    new: int
    known: int
    differing: int
    reason: str | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether all arrived."""
        return self.reason is None
