"""A stored reading.json as Findings, for comparison and for chat. Its free text is left behind.

Reasons, doubts, methods and notices come from a file that anyone may have written: none of them is needed to
check or compare a statement, so none is carried (``vlm.chat.safe`` says what an answer may repeat of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anatomy import Condition, Side
from grading.types import Burden, Evidence, Findings, Grade, GradeStatus
from segmentation.types import Level, Measurement

UNSAID = "not said"
"""Stands for a reason or a doubt whose words are left behind."""


def read_findings(reading: Mapping[str, Any]) -> Findings:
    """Return the findings graph of a validated reading.json, without its free text."""
    return Findings(
        study_key=str(reading["study"]["key"]),
        protocol=str(reading["study"]["protocol"]),
        sequences=(),
        levels=tuple(_level(row) for row in reading["levels"]),
        measurements=tuple(_measurement(row) for row in reading["measurements"]),
        grades=tuple(_grade(row) for row in reading["grades"]),
        burden=Burden(None, None, (), "none"),
    )


def _side(row: Mapping[str, Any]) -> Side | None:
    return None if row["side"] is None else Side(row["side"])


def _grade(row: Mapping[str, Any]) -> Grade:
    seen = row["evidence"]
    x0, y0, x1, y1 = (0.0, 0.0, 0.0, 0.0) if seen is None else seen["box_px"]
    return Grade(
        id=row["id"],
        level=row["level"],
        side=_side(row),
        condition=Condition(row["condition"]),
        scale=row["scale"],
        grade=row["grade"],
        probabilities=dict(row["probabilities"]),
        prediction_set=tuple(row["prediction_set"]),
        status=GradeStatus(row["status"]),
        reason=None if row["status"] == GradeStatus.GRADED.value else UNSAID,
        evidence=None if seen is None else Evidence(seen["series"], seen["slice"], (x0, y0, x1, y1)),
        measurement_ids=tuple(row["measurements"]),
    )


def _measurement(row: Mapping[str, Any]) -> Measurement:
    return Measurement(
        id=row["id"],
        name=row["name"],
        level=row["level"],
        side=_side(row),
        value=row["value"],
        unit=row["unit"],
        method="",
        reason=None if row["value"] is not None else UNSAID,
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
        doubt=None if row["doubt"] is None else UNSAID,
    )
