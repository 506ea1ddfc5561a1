"""The made-up readings of ``readings.yaml`` as reading.json documents, checked against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import CONDITIONS, SCALES, Condition
from pipeline.document import SCHEMA_FILE, validate_document

_FOLDER = Path(__file__).parent
_SPACING = [0.7, 0.7, 4.4]
_BOX = [100.0, 100.0, 180.0, 160.0]


@cache
def reading_names() -> tuple[str, ...]:
    return tuple(_table())


@cache
def make_reading(name: str) -> dict[str, Any]:
    """Return one reading; its comparison is left unchecked where the schema has no such block."""
    document = _document(_table()[name])
    known = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))["properties"]
    validate_document({key: value for key, value in document.items() if key in known or key != "comparison"})
    return document


def finding_id(document: dict[str, Any], key: str) -> str:
    """Return the id behind ``L4-L5 left modic``, ``- sacroiliitis`` or ``L4-L5 canal_ap_diameter``.

    Raises:
        KeyError: If nothing or more than one thing is meant.
    """
    level, *side, name = key.split()
    rows = [
        row["id"]
        for row in (*document["grades"], *document["measurements"])
        if row["level"] == (None if level == "-" else level)
        and row["side"] == (side[0] if side else None)
        and name in (row.get("condition"), row.get("name"))
    ]
    if len(rows) != 1:
        raise KeyError(f"{key}: {len(rows)} findings")
    return str(rows[0])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((_FOLDER / "readings.yaml").read_text(encoding="utf-8"))
    return table


def _document(row: dict[str, Any]) -> dict[str, Any]:
    measurements = [{"id": f"m{n}", **item} for n, item in enumerate(_measurements(row), 1)]
    grades = [{"id": f"g{n}", **item} for n, item in enumerate(_grades(row), 1)]
    text = row.get("sentence", "The images were read.")
    sentence = {"text": text, "finding_ids": [], "source": "vlm", "status": "supported", "replaced_text": None}
    document = {
        "schema": "spinescribe.reading/1",
        "study": {
            "key": "0123456789abcdef", "source": "dicom", "protocol": row["protocol"],
            "sex": None, "age_years": None,
            "notices": [], "series": [_series(key, item) for key, item in row["series"].items()],
        },
        "eligibility": {"eligible": True, "reasons": []},
        "levels": [_level(row, index, *item) for index, item in enumerate(row["levels"].items())],
        "measurements": measurements,
        "grades": grades,
        "burden": {"terms": [], "formula": "degeneration/1", **row["burden"]},
        "detections": row.get("detections", []),
        "report": {"state": "draft", "sections": [{"name": "findings", "sentences": [sentence]}]},
        "notices": row.get("notices", []),
        "provenance": {
            "spinescribe": "0.1.0", "python": "3.11", "packages": {}, "weights": {}, "config_hash": "0" * 64,
            "seeds": {}, "prompts": {}, "prior_study_key": "fedcba9876543210" if "comparison" in row else None,
        },
    }  # fmt: skip
    if "comparison" in row:
        document["comparison"] = _comparison(row["comparison"], grades, measurements)
    return document


def _series(key: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"id": key, "spacing_mm": _SPACING, "reasons": ["as named"], "header": {}, **row}


def _level(row: dict[str, Any], index: int, name: str, confidence: float) -> dict[str, Any]:
    doubt = row.get("doubts", {}).get(name)
    series, slice_index = row["evidence"]["default"]
    points = {
        "centre_px": [150.0, 60.0 + 40 * index],
        "posterior_px": [180.0, 60.0 + 40 * index],
        "centre_mm": None,
    }
    return {
        "name": name,
        **points,
        "series": series,
        "slice": slice_index,
        "confidence": confidence,
        "doubt": doubt,
    }


def _grades(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for level in row["levels"]:
        for name, cells in row["grades"].items():
            cell = str(cells.get(level, cells.get("all")))
            info = CONDITIONS[Condition(name)]
            scale = row.get("scales", {}).get(name, info.scales[0])
            sides = ("left", "right") if info.is_sided else (None,)
            parts = cell.split(" / ")
            for side, part in zip(sides, parts, strict=True):
                yield _grade(row, level, side, name, scale, part)
    if "whole" in row:
        whole = row["whole"]
        yield _grade(row, None, None, whole["condition"], whole["scale"], whole["cell"])


def _grade(
    row: dict[str, Any], level: str | None, side: str | None, name: str, scale: str, cell: str
) -> dict[str, Any]:
    base = {"level": level, "side": side, "condition": name, "scale": scale, "measurements": []}
    if cell.startswith("?"):
        unknown = {"grade": None, "probabilities": {}, "prediction_set": [], "evidence": None}
        return base | unknown | {"status": "not_assessable", "reason": cell[1:]}
    place = row["evidence"].get(name, row["evidence"]["default"])
    series, slice_index = place[side] if isinstance(place, dict) else place
    steps = cell.split("|")
    shares = [0.9] if len(steps) == 1 else [0.6, 0.35]
    return base | {
        "grade": steps[0],
        "probabilities": dict(zip(steps, shares, strict=True)),
        "prediction_set": [step for step in SCALES[scale].grades if step in steps],
        "status": "graded",
        "reason": None,
        "evidence": {"series": series, "slice": slice_index, "box_px": _BOX},
    }


def _measurements(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    series, slice_index = row["evidence"]["default"]
    for level in row["levels"]:
        for name, cells in row["measurements"].items():
            cell = cells.get(level, cells.get("all"))
            if cell is None:
                continue
            is_unknown = isinstance(cell, str)
            yield {
                "name": name, "level": level, "side": None, "value": None if is_unknown else cell,
                "unit": row.get("units", {}).get(name, "mm"),
                "method": row.get("methods", {}).get(name, "mid-sagittal"), "percentile": None,
                "status": "not_assessable" if is_unknown else "measured",
                "reason": cell[1:] if is_unknown else None,
                "series": series, "slice": slice_index, "line_px": None,
            }  # fmt: skip


def _comparison(
    row: dict[str, Any], grades: list[dict[str, Any]], measurements: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "rules": "prior-comparison/1",
        "grades": [_grade_change(row["grades"], item) for item in grades],
        "measurements": [_value_change(row["measurements"], item) for item in measurements],
        "notices": [],
    }


def _earlier(key: str) -> str:
    return f"{key[0]}{int(key[1:]) + 100}"


def _grade_change(rows: dict[str, Any], grade: dict[str, Any]) -> dict[str, Any]:
    place = grade["level"] if grade["side"] is None else f"{grade['level']} {grade['side']}"
    steps, change, *reason = rows.get(grade["condition"], {}).get(place, (grade["grade"], "unchanged"))
    is_known = steps != "?"
    return {
        **{key: grade[key] for key in ("level", "side", "condition", "scale")},
        "before": {
            "id": _earlier(grade["id"]), "status": "graded" if is_known else "not_assessable",
            "grade": steps if is_known else None, "prediction_set": [steps] if is_known else [],
        },
        "now": {key: grade[key] for key in ("id", "status", "grade", "prediction_set")},
        "change": change,
        "reason": reason[0] if reason else None,
    }  # fmt: skip


def _value_change(rows: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    value, change, limit = rows.get(item["name"], {}).get(item["level"], (item["value"], "within_error", 4.7))
    return {
        **{key: item[key] for key in ("level", "side", "name", "unit")},
        "before": {"id": _earlier(item["id"]), "value": value},
        "now": {"id": item["id"], "value": item["value"]},
        "difference": round(item["value"] - value, 6),
        "limit": limit,
        "change": change,
        "reason": None,
    }
