"""Findings of a body region that no grading model exists for yet: levels and measurements, every grade unknown.

Grades that a rule decides by a measurement are given all the same. No torch.
"""

from collections.abc import Iterator
from dataclasses import replace

from anatomy import CONDITIONS, Condition, Protocol, Side
from grading.findings import build_findings, graded_by_rule, not_assessable, rules_of
from grading.types import Findings, Grade
from imaging.types import Study
from segmentation.types import SegmentedStudy


class NoGrader:
    """Stands where a grader would; has no weights."""

    checksum: str | None = None

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Return the Findings graph, every condition that no rule decides not assessable with the reason."""
        rules = {rule.condition: rule for rule in rules_of(protocol)}
        reason = f"no grading model for {_plain(protocol.title)} is installed"
        grades: list[Grade] = []
        for level in segmented.levels:
            if level.name in protocol.levels:
                for condition in protocol.conditions:
                    if condition in rules:
                        grades.append(graded_by_rule(rules[condition], level, segmented))
                    else:
                        grades += _ungraded(level.name, condition, reason)
        return build_findings(study, segmented, protocol, grades)


def _ungraded(level: str, condition: Condition, reason: str) -> Iterator[Grade]:
    """Yield one grade a side, or a single one for a condition without sides.

    Sacroiliitis has a scale for the whole study (``as_status``) before that of each joint (``as_stage``): the last
    scale is the one by side.
    """
    info = CONDITIONS[condition]
    grade = not_assessable(level, condition, info.reported_scales[-1 if info.is_sided else 0], reason)
    if not info.is_sided:
        yield grade
        return
    for side in Side:
        yield replace(grade, side=side)


def _plain(title: str) -> str:
    """Return the body region of a protocol's title: ``the cervical spine``."""
    return title.removeprefix("MRI of ")
