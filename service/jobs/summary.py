"""What the worklist shows and filters by, out of a reading.json: a row for each grade, a line for the study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anatomy import CONDITIONS, SCALES, Condition
from service.store.tables import StudyFinding

_SHOWN_FINDINGS = 3
_MAX_CHARS = 400
_BARE = ("present", "positive")


def finding_rows(study_id: str, document: Mapping[str, Any]) -> Iterator[StudyFinding]:
    """Yield a row for each grade that was given; what is not assessable has none."""
    for grade in document["grades"]:
        if grade["grade"] is not None:
            yield StudyFinding(
                study_id=study_id,
                finding_id=grade["id"],
                level=grade["level"],
                side=grade["side"],
                condition=grade["condition"],
                scale=grade["scale"],
                grade=grade["grade"],
                is_positive=is_positive(grade),
            )


def is_positive(grade: Mapping[str, Any]) -> bool:
    """Return whether a grade is a positive finding on its scale."""
    return grade["grade"] is not None and SCALES[grade["scale"]].step(grade["grade"]).is_abnormal


def levels_summary(document: Mapping[str, Any]) -> str:
    """Return the findings that weigh most, such as ``L4-L5 severe spinal canal stenosis; ...``."""
    grades = {grade["id"]: grade for grade in document["grades"]}
    weighed = {term["grade"]: term["points"] for term in document["burden"]["terms"]}
    positive = [grade for grade in grades.values() if is_positive(grade)]
    if not positive:
        return "nothing positive" if any(grade["grade"] for grade in grades.values()) else "nothing graded"
    positive.sort(key=lambda grade: (-weighed.get(grade["id"], 0.0), -_severity(grade), grade["id"]))
    told = list(dict.fromkeys(_words(grade) for grade in positive))
    more = len(told) - _SHOWN_FINDINGS
    text = "; ".join(told[:_SHOWN_FINDINGS]) + (f"; {more} more" if more > 0 else "")
    return text[:_MAX_CHARS]


def _severity(grade: Mapping[str, Any]) -> float:
    return SCALES[grade["scale"]].step(grade["grade"]).weight


def _words(grade: Mapping[str, Any]) -> str:
    info = CONDITIONS[Condition(grade["condition"])]
    step = SCALES[grade["scale"]].step(grade["grade"])
    side = f"{grade['side']} " if grade["side"] else ""
    if step.words in _BARE:
        words = f"{side}{info.words}"
    elif step.words[0].isupper():  # it names its scale, and so the condition
        words = f"{side}{step.words}"
    else:
        words = f"{step.words} {side}{info.words}"
    return " ".join(filter(None, (grade["level"], words)))
