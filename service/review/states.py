"""What may happen to a report, in one place: draft -> reviewed -> signed -> amended -> signed again.

A change after the review takes the report back to a draft. After the signature nothing changes it but ``amend``,
with a reason; an amended report is changed and signed again. Review and signature need an open way: every positive
finding decided, every critical one acknowledged, no conflict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.errors import ConflictError
from service.store.words import ReportStatus


class Action(StrEnum):
    """What a reader does to a report."""

    EDIT = "edit"
    DECIDE = "decide"
    ACKNOWLEDGE = "acknowledge"
    REVIEW = "review"
    SIGN = "sign"
    AMEND = "amend"


_DRAFT, _REVIEWED, _SIGNED, _AMENDED = ReportStatus

_NEXT: dict[tuple[Action, ReportStatus], ReportStatus] = {
    (Action.EDIT, _DRAFT): _DRAFT,
    (Action.EDIT, _REVIEWED): _DRAFT,
    (Action.EDIT, _AMENDED): _AMENDED,
    (Action.DECIDE, _DRAFT): _DRAFT,
    (Action.DECIDE, _REVIEWED): _DRAFT,
    (Action.DECIDE, _AMENDED): _AMENDED,
    (Action.ACKNOWLEDGE, _DRAFT): _DRAFT,
    (Action.ACKNOWLEDGE, _REVIEWED): _REVIEWED,
    (Action.ACKNOWLEDGE, _AMENDED): _AMENDED,
    (Action.REVIEW, _DRAFT): _REVIEWED,
    (Action.SIGN, _REVIEWED): _SIGNED,
    (Action.SIGN, _AMENDED): _SIGNED,
    (Action.AMEND, _SIGNED): _AMENDED,
}
"""Every step there is. What is not here is refused."""

_GATED = frozenset({Action.REVIEW, Action.SIGN})

_WHY = {
    _DRAFT: "the report is a draft: review it first",
    _REVIEWED: "the report is reviewed already",
    _SIGNED: "the report is signed: only an amendment with a reason opens it",
    _AMENDED: "the report is amended: sign it again",
}


@dataclass(frozen=True)
class Standing:
    """Where a report stands.

    Attributes:
        status: Status.
        undecided: Positive findings that nobody decided, in words.
        unacknowledged: Critical findings that nobody took note of, in words.
        conflicts: Sentences that contradict a decision, in words.
    """

    status: ReportStatus
    undecided: tuple[str, ...] = ()
    unacknowledged: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    @property
    def blockers(self) -> tuple[str, ...]:
        """Return what stands in the way of review and signature, one sentence each."""
        return (
            *(f"Not decided: {words}." for words in self.undecided),
            *(f"Critical and not acknowledged: {words}." for words in self.unacknowledged),
            *(f"Conflict: {words}." for words in self.conflicts),
        )


def may(action: Action, standing: Standing) -> bool:
    """Return whether an action is open."""
    is_free = action not in _GATED or not standing.blockers
    return is_free and (action, standing.status) in _NEXT


def next_status(action: Action, standing: Standing) -> ReportStatus:
    """Return the status after an action.

    Raises:
        ConflictError: If the status forbids it, or something stands in its way; the sentence says what.
    """
    found = _NEXT.get((action, standing.status))
    if found is None:
        raise ConflictError(_WHY[standing.status], code=f"report_{standing.status.value}")
    if action in _GATED and standing.blockers:
        count = len(standing.blockers)
        raise ConflictError(
            f"{count} thing{'' if count == 1 else 's'} in the way: {' '.join(standing.blockers[:5])}",
            code="blocked",
        )
    return found
