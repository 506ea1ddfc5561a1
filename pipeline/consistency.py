"""What a reader is told of sentences that sampled drafts put otherwise."""

from pipeline.stages import WritesDraft
from reporting.types import Report

NOT_RATED = (
    "Consistency was asked for, but this report has no sentences that could be compared with sampled drafts."
)
LOW = "Sampled drafts put {count} of {all} sentences otherwise: agreement below {floor} in reading.json."
EVEN = "Sampled drafts agree with all {all} rated sentences."


def consistency_notice(report: Report, drafter: WritesDraft | None) -> str:
    """Return the notice of a report whose consistency was asked for."""
    floor = None if drafter is None else drafter.consistency_floor
    scores = [item.consistency for section in report.sections for item in section.sentences]
    rated = [score for score in scores if score is not None]
    if floor is None or not rated:
        return NOT_RATED
    low = sum(score < floor for score in rated)
    if not low:
        return EVEN.format(all=len(rated))
    return LOW.format(count=low, all=len(rated), floor=floor)
