"""An earlier reading.json as Findings: ids, steps and values only.

The file comes from outside. Its free text (reasons, methods, notices, doubts) is left behind, so that nothing
written into it can reach the new report.
"""

from collections.abc import Mapping
from typing import Any

from anatomy import CONDITIONS, SCALES, Condition, Side, protocol_names
from grading.types import Burden, Findings, Grade, GradeStatus
from runtime.errors import StudyError
from segmentation.types import Level, Measurement

DOUBT = "the numbering was in doubt"


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
    grades = tuple(_grade(row, name) for row in document["grades"])
    _check_once([(item.level, item.side, item.condition, item.scale) for item in grades], name, "grade")
    values = tuple(_measurement(row) for row in document["measurements"])
    _check_once([(item.level, item.side, item.name, item.unit) for item in values], name, "measurement")
    levels = tuple(_level(row) for row in document["levels"])
    return Findings("prior", protocol, (), levels, values, grades, Burden(None, None, (), "none"))


def _grade(row: Mapping[str, Any], name: str) -> Grade:
    condition, scale = Condition(row["condition"]), str(row["scale"])
    known = {*CONDITIONS[condition].scales, *CONDITIONS[condition].checks}
    steps = tuple(row["prediction_set"])
    named = {*steps, row["grade"]} - {None}
    if scale not in known or not named <= set(SCALES[scale].grades):
        raise StudyError(
            f"{name}: expected steps of {', '.join(sorted(known)) or 'no scale'} for {condition.value}, found "
            f"{row['id']} on {scale} with others",
            code="prior_unknown_steps",
        )
    return Grade(
        id=row["id"],
        level=row["level"],
        side=None if row["side"] is None else Side(row["side"]),
        condition=condition,
        scale=scale,
        grade=row["grade"],
        probabilities={},
        prediction_set=steps,
        status=GradeStatus(row["status"]),
        reason=None,
        evidence=None,
    )


def _measurement(row: Mapping[str, Any]) -> Measurement:
    return Measurement(
        id=row["id"],
        name=row["name"],
        level=row["level"],
        side=None if row["side"] is None else Side(row["side"]),
        value=row["value"],
        unit=row["unit"],
        method="",
        reason=None,
        series_id=row["series"],
        slice_index=row["slice"],
    )


def _level(row: Mapping[str, Any]) -> Level:
    return Level(
        name=row["name"],
        series_id=row["series"],
        slice_index=row["slice"],
        centre_px=(row["centre_px"][0], row["centre_px"][1]),
        posterior_px=(row["posterior_px"][0], row["posterior_px"][1]),
        centre_ras_mm=None,
        angle_deg=0.0,
        length_px=0.0,
        confidence=row["confidence"],
        doubt=None if row["doubt"] is None else DOUBT,
    )


def _check_once(places: list[tuple[object, ...]], name: str, what: str) -> None:
    if len(set(places)) < len(places):
        raise StudyError(
            f"{name}: expected one {what} per place, found several of one place", code="prior_repeats"
        )
