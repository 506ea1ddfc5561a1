"""Which findings a written sentence states, told by reading it back with the report parser."""

from collections.abc import Sequence

from grading.types import Findings, Grade
from reporting import parse_report
from reporting.statements import state
from reporting.types import DraftSentence, Fact, SentenceSource
from vlm.plan import Slot


def attach_evidence(texts: Sequence[str], slot: Slot, findings: Findings) -> tuple[DraftSentence, ...]:
    """Return the sentences written for a slot with the ids of the findings they state.

    A sentence states the grades of the slot's levels whose condition (and side, where it names one) it mentions,
    and their measurements that the slot states. What none mentions goes to those that mention nothing of the
    slot, else to the last one: it was meant to be said somewhere, and the verifier puts it there when it is not.

    Args:
        texts: Sentences in order; the first names the level, the others follow on.
        slot: What they were written for.
        findings: The findings graph.
    """
    claimed = [_claimed_ids(text, slot, findings) for text in texts]
    taken = {key for ids in claimed for key in ids}
    left = tuple(key for key in slot.finding_ids if key not in taken)
    if all(claimed):
        claimed[-1] = (*claimed[-1], *left)
    return tuple(
        DraftSentence(text, ids or left, SentenceSource.VLM) for text, ids in zip(texts, claimed, strict=True)
    )


def _claimed_ids(text: str, slot: Slot, findings: Findings) -> tuple[str, ...]:
    allowed = set(slot.finding_ids)
    facts = parse_report(text)
    grades = [
        grade for key in slot.finding_ids if (grade := findings.grade(key)) is not None and _mentions(facts, grade)
    ]
    values = [item.id for grade in grades for item in state(grade, findings).measurements if item.id in allowed]
    return tuple(dict.fromkeys([*(grade.id for grade in grades), *values]))


def _mentions(facts: Sequence[Fact], grade: Grade) -> bool:
    """Tell whether a fact is on a grade's condition; which level it names is the verifier's question."""
    return any(
        fact.condition is grade.condition and (fact.side is None or grade.side is None or fact.side is grade.side)
        for fact in facts
    )
