"""What the worklist can be filtered by: levels, conditions and grades of all protocols, with their words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from anatomy import CONDITIONS, SCALES, load_protocol, protocol_names
from service.store.words import ReportStatus, StudyStatus


@dataclass(frozen=True)
class FilterChoices:
    """Values of each filter; conditions and grades with the words shown.

    Attributes:
        statuses: States of a study.
        reports: States of a report.
        levels: Levels by protocol, cranial to caudal.
        conditions: Value and words of all conditions that are graded.
        grades: Values, grouped by scale.
    """

    statuses: tuple[str, ...]
    reports: tuple[str, ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]
    conditions: tuple[tuple[str, str], ...]
    grades: tuple[tuple[str, tuple[str, ...]], ...]


@cache
def filter_choices() -> FilterChoices:
    """Return the choices of all installed protocols."""
    protocols = [load_protocol(name) for name in protocol_names()]
    graded = [info for info in CONDITIONS.values() if any(info.condition in plan.conditions for plan in protocols)]
    scales = dict.fromkeys(scale for info in graded for scale in info.reported_scales)
    return FilterChoices(
        statuses=tuple(status.value for status in StudyStatus),
        reports=tuple(status.value for status in ReportStatus),
        levels=tuple((plan.name, plan.levels) for plan in protocols),
        conditions=tuple((info.condition.value, info.words) for info in graded),
        grades=tuple((SCALES[scale].title, SCALES[scale].grades) for scale in scales),
    )
