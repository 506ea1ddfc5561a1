"""Boxes from CSV, JSONL or readings: study -> boxes, with label, image and score."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.detection.boxes import Box
from evaluation.inputs import readings_of
from evaluation.tables import read_csv, read_jsonl
from runtime.errors import StudyError

COLUMNS = ("id", "label", "x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class LabelledBox:
    """One box.

    Attributes:
        label: What it shows, such as ``cord_compression``.
        box: Corners in pixels.
        image: Series and slice it lies on; empty where the study is one image.
        score: 1 where none was given (a true box).
    """

    label: str
    box: Box
    image: str
    score: float


def read_boxes(path: Path, *, is_scored: bool) -> dict[str, list[LabelledBox]]:
    """Read boxes by study.

    CSV: ``id,label,x0,y0,x1,y1`` and ``score``; ``series`` and ``slice`` may be there; a row with an empty label
    is a study without boxes. JSONL, one study a line: ``{"id", "boxes": [{"label", "box_px", "score", "series",
    "slice"}]}``. Readings: their ``detections``.

    Args:
        path: A file, or a folder of readings.
        is_scored: Whether every box must have a score, as predictions must.

    Raises:
        StudyError: Naming file and line of the first thing that is wrong.
    """
    if path.is_dir() or path.suffix == ".json":
        readings = readings_of(path)
        if not readings:
            raise StudyError(f"{path.name}: expected a CSV or JSONL file or a folder of readings, found none")
        return {case: [_box(row) for row in reading["detections"]] for case, reading in readings.items()}
    lines = _jsonl(path) if path.suffix == ".jsonl" else _csv(path)
    found: dict[str, list[LabelledBox]] = {}
    for number, case, rows in lines:
        mine = found.setdefault(case, [])
        try:
            mine += [_box(_checked(row, is_scored)) for row in rows]
        except StudyError as error:
            raise StudyError(f"{path.name}: line {number}: {error}") from error
    return found


def _jsonl(path: Path) -> Iterator[tuple[int, str, list[dict[str, Any]]]]:
    for number, row in read_jsonl(path):
        boxes = row.get("boxes")
        if not row.get("id") or not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
            raise StudyError(f"{path.name}: line {number}: expected an id and a list of boxes, got {sorted(row)}")
        yield number, str(row["id"]), boxes


def _csv(path: Path) -> Iterator[tuple[int, str, list[dict[str, Any]]]]:
    for number, row in enumerate(read_csv(path, COLUMNS), start=2):
        if not row["id"]:
            raise StudyError(f"{path.name}: line {number}: id: expected an identifier, found none")
        box: dict[str, Any] = {**row, "box_px": [row[name] for name in COLUMNS[2:]]}
        yield number, row["id"], [box] if row["label"] else []


def _checked(row: Mapping[str, Any], is_scored: bool) -> dict[str, Any]:
    label, corners, score = row.get("label"), row.get("box_px"), row.get("score")
    if not isinstance(label, str) or not label:
        raise StudyError(f"label: expected a name, got {label!r}")
    if not isinstance(corners, list) or len(corners) != 4:
        raise StudyError(f"box_px: expected x0, y0, x1, y1, got {corners!r}")
    box = [_number("box", corner) for corner in corners]
    if box[2] <= box[0] or box[3] <= box[1]:
        raise StudyError(f"box: expected x0 < x1 and y0 < y1, got {', '.join(map(str, corners))}")
    if score in (None, "") and is_scored:
        raise StudyError("score: expected a number for every predicted box, found none")
    return {**row, "box_px": box, "score": 1.0 if score in (None, "") else _number("score", score)}


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise StudyError(f"{name}: expected a number, got {value!r}")
    return number


def _box(row: Mapping[str, Any]) -> LabelledBox:
    x0, y0, x1, y1 = row["box_px"]
    series, place = row.get("series"), row.get("slice")
    image = (
        "" if series in (None, "") and place in (None, "") else f"{series or ''}/{'' if place is None else place}"
    )
    return LabelledBox(row["label"], (x0, y0, x1, y1), image, float(row["score"]))
