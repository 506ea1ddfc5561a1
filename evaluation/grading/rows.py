"""Grades from a CSV or from readings, one row a place: a condition at a level, on a side, by one scale."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side, parse_level
from evaluation.inputs import readings_of
from evaluation.tables import read_csv
from runtime.errors import StudyError

COLUMNS = ("id", "level", "side", "condition", "grade")
_SUM_TOLERANCE = 0.01


class Place(NamedTuple):
    """What is graded; level and side are empty where the condition has none, whatever a finding carries."""

    id: str
    level: str
    side: str
    condition: str
    scale: str


@dataclass(frozen=True)
class GradeRow:
    """One grade.

    Attributes:
        grade: Step of the scale; None when the place was not assessable.
        probabilities: Of every step in order; None when not given.
        prediction_set: Steps; None when not given.
        patient: From a column of that name; None without one.
    """

    grade: str | None
    probabilities: tuple[float, ...] | None = None
    prediction_set: tuple[str, ...] | None = None
    patient: str | None = None


def read_grades(path: Path) -> dict[Place, GradeRow]:
    """Read a CSV, a reading.json, or a folder of readings.

    CSV columns: ``id``, ``level``, ``side``, ``condition``, ``grade`` (empty: not assessable); may be there:
    ``patient``, ``scale`` (else the condition's usual one), ``probabilities`` (``normal_mild=0.7;moderate=0.3`` or
    a JSON object; steps not named have 0) and ``prediction_set`` (``moderate|severe``).

    Raises:
        StudyError: Naming the file and line of the first thing that is wrong.
    """
    if path.is_dir() or path.suffix == ".json":
        readings = readings_of(path)
        if not readings:
            raise StudyError(f"{path.name}: expected a CSV file or a folder of readings, found none")
        pairs = (
            (f"{case}: ", place, row)
            for case, reading in readings.items()
            for place, row in _reading(case, reading)
        )
    else:
        lines = enumerate(read_csv(path, COLUMNS), start=2)
        pairs = ((f"line {number}: ", *_csv_row(path, number, row)) for number, row in lines)
    rows: dict[Place, GradeRow] = {}
    for where, place, row in pairs:
        if place in rows:
            raise StudyError(
                f"{path.name}: {where}expected each id, level, side, condition and scale once, found repeats of "
                f"{', '.join(filter(None, place))}"
            )
        rows[place] = row
    return rows


def scale_of(condition: str) -> str:
    """Return the usual scale of a condition.

    Raises:
        StudyError: If there is no such condition, or it is not graded.
    """
    try:
        info = CONDITIONS[Condition(condition)]
    except ValueError:
        raise StudyError(f"condition: expected one of {', '.join(Condition)}, got {condition!r}") from None
    if not info.scales:
        raise StudyError(f"condition {condition}: has no grading scale")
    return info.scales[0]


def _reading(case: str, reading: Mapping[str, Any]) -> Iterator[tuple[Place, GradeRow]]:
    for grade in reading["grades"]:
        condition = Condition(grade["condition"])
        place = Place(case, grade["level"] or "", _kept_side(condition, grade["side"]), condition, grade["scale"])
        shares = grade["probabilities"]
        steps = SCALES[grade["scale"]].grades
        yield (
            place,
            GradeRow(
                grade["grade"],
                tuple(float(shares.get(step, 0.0)) for step in steps) if shares else None,
                tuple(grade["prediction_set"]) or None,
            ),
        )


def _csv_row(file: Path, number: int, row: Mapping[str, str]) -> tuple[Place, GradeRow]:
    try:
        scale = row.get("scale") or scale_of(row["condition"])
        known = CONDITIONS[Condition(row["condition"])]
        if scale not in (*known.scales, *known.checks):
            raise StudyError(f"scale: expected one of {', '.join(known.scales)}, got {scale!r}")
        steps = SCALES[scale].grades
        side = _kept_side(known.condition, _side(row["side"]))
        place = Place(_given(row["id"]), _level(row["level"]), side, known.condition, scale)
        return place, GradeRow(
            _grade(row["grade"], steps) if row["grade"] else None,
            _probabilities(row.get("probabilities", ""), steps),
            tuple(_grade(item.strip(), steps) for item in row.get("prediction_set", "").split("|") if item.strip())
            or None,
            row.get("patient") or None,
        )
    except StudyError as error:
        raise StudyError(f"{file.name}: line {number}: {error}") from error


def _given(case: str) -> str:
    if not case:
        raise StudyError("id: expected an identifier, found none")
    return case


def _level(text: str) -> str:
    if text in ("", SIJ):
        return text
    level = parse_level(text)
    if level is None:
        raise StudyError(f"level: expected a disc level such as L4-L5, SIJ or nothing, got {text!r}")
    return level


def _side(text: str) -> str:
    if text and text not in tuple(Side):
        raise StudyError(f"side: expected {', '.join(Side)} or nothing, got {text!r}")
    return text


def _kept_side(condition: Condition, side: str | None) -> str:
    """Return the side where the condition is graded by side; a left herniation's is no part of the place."""
    return (side or "") if CONDITIONS[condition].is_sided else ""


def _grade(text: str, steps: tuple[str, ...]) -> str:
    if text not in steps:
        raise StudyError(f"expected grades {', '.join(steps)}, got {text!r}")
    return text


def _probabilities(text: str, steps: tuple[str, ...]) -> tuple[float, ...] | None:
    if not text:
        return None
    form = "probabilities: expected step=number;step=number or a JSON object"
    try:
        pairs = json.loads(text) if text.startswith("{") else dict(item.split("=") for item in text.split(";"))
        shares = {_grade(name.strip(), steps): float(share) for name, share in pairs.items()}
    except StudyError as error:
        raise StudyError(f"probabilities: {error}") from error
    except (ValueError, TypeError, AttributeError):
        raise StudyError(f"{form}, got {text!r}") from None
    if not all(0.0 <= share <= 1.0 for share in shares.values()) or abs(sum(shares.values()) - 1) > _SUM_TOLERANCE:
        raise StudyError(f"probabilities: expected shares that sum to 1, got {text!r}")
    return tuple(shares.get(step, 0.0) for step in steps)
