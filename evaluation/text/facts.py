"""Agreement of two sets of facts read from reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.types import Fact

FactKey = tuple[str | None, str | None, str, bool]


@dataclass(frozen=True)
class FactScore:
    """Agreement of two sets of facts.

    Attributes:
        precision: Share of stated facts that are in the reference (level, side, condition, negation equal).
        recall: Share of the reference's facts that are stated.
        f1: Harmonic mean.
        grade_accuracy: Of matched facts graded in both, the share with the same grade; None without any.
    """

    precision: float
    recall: float
    f1: float
    grade_accuracy: float | None


def score_facts(predicted: Sequence[Fact], reference: Sequence[Fact]) -> FactScore:
    """Compare facts on level, side, condition and negation; grades are compared on those that match."""
    told = {_key(fact): fact for fact in predicted}
    truth = {_key(fact): fact for fact in reference}
    shared = told.keys() & truth.keys()
    precision = len(shared) / len(told) if told else float(not truth)
    recall = len(shared) / len(truth) if truth else float(not told)
    total = precision + recall
    graded = [key for key in shared if told[key].grade and truth[key].grade]
    same = sum(told[key].grade == truth[key].grade for key in graded)
    return FactScore(
        precision, recall, 2 * precision * recall / total if total else 0.0, same / len(graded) if graded else None
    )


def _key(fact: Fact) -> FactKey:
    return fact.level, None if fact.side is None else fact.side.value, fact.condition.value, fact.negated
