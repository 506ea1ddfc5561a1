"""An earlier reading.json as Findings: is it one of this body region, with steps and places that we know?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from anatomy import CONDITIONS, SCALES, Condition, protocol_names
from grading.types import Findings
from reporting.stored import read_findings
from runtime.errors import StudyError


def prior_findings(document: Mapping[str, Any], *, protocol: str, name: str) -> Findings:
    """Return what an earlier reading found.

    Args:
        document: Content of its reading.json, already checked against the schema.
        protocol: Body region of the study at hand.
        name: File name for messages.

    Raises:
        StudyError: If it is of another body region, or its grades are none of our scales.
    """
    found = document["study"]["protocol"]
    if found != protocol:
        shown = found if found in protocol_names() else "unknown"
        raise StudyError(
            f"{name}: expected an earlier reading of the {protocol} protocol, as the study is, found one of the "
            f"{shown} protocol",
            code="prior_other_region",
        )
    for row in document["grades"]:
        _check_steps(row, name)
    findings = replace(read_findings(document), study_key="prior")
    _check_once([(item.level, item.side, item.condition, item.scale) for item in findings.grades], name, "grade")
    values = [(item.level, item.side, item.name, item.unit) for item in findings.measurements]
    _check_once(values, name, "measurement")
    return findings


def _check_steps(row: Mapping[str, Any], name: str) -> None:
    condition, scale = Condition(row["condition"]), str(row["scale"])
    known = {*CONDITIONS[condition].scales, *CONDITIONS[condition].checks}
    named = {*row["prediction_set"], row["grade"]} - {None}
    if scale not in known or not named <= set(SCALES[scale].grades):
        raise StudyError(
            f"{name}: expected steps of {', '.join(sorted(known)) or 'no scale'} for {condition.value}, found "
            f"{row['id']} on {scale} with others",
            code="prior_unknown_steps",
        )


def _check_once(places: Sequence[tuple[object, ...]], name: str, what: str) -> None:
    if len(set(places)) < len(places):
        raise StudyError(
            f"{name}: expected one {what} per place, found several of one place", code="prior_repeats"
        )
