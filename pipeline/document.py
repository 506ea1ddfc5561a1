"""reading.json: one reading as plain data, checked against the shipped schema before anyone else sees it.

The schema (``reading.schema.json``) fixes names, types and closed sets; ``validate_document`` adds what a schema
cannot say: every id that is referred to exists, ids are unique, and numbers are finite.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imaging.types import SourceKind
from pipeline.types import Reading
from runtime.errors import ReportError, StudyError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA_NAME = "spinescribe.reading/1"
SCHEMA_FILE = Path(__file__).parent / "reading.schema.json"
LABEL_MAP = "label_map"
ATTENTION_PICTURE, ATTENTION_MAPS = "attention.png", "attention.npz"
_DIGITS = 6
_MAX_BYTES = 64 * 2**20


def reading_to_dict(reading: Reading) -> dict[str, Any]:
    """Return the content of reading.json, validated.

    Raises:
        ReportError: If the reading breaks the contract: a fault of ours, never of the study.
    """
    document = {
        "schema": SCHEMA_NAME,
        "study": reading.study.to_dict(),
        "eligibility": reading.eligibility.to_dict(),
        "levels": [level.to_dict() for level in reading.findings.levels],
        "measurements": [item.to_dict() for item in reading.findings.measurements],
        "grades": [grade.to_dict() for grade in reading.findings.grades],
        "burden": reading.findings.burden.to_dict(),
        "detections": [item.to_dict() for item in reading.findings.detections],
        "report": reading.report.to_dict(),
        **({} if reading.comparison is None else {"comparison": reading.comparison.to_dict()}),
        "notices": list(reading.notices),
        "label_maps": [{"series": series, "file": name} for series, name in label_map_files(reading).items()],
        **_explanation(reading),
        "provenance": {
            **reading.provenance.to_dict(),
            "prior_study_key": reading.prior_study_key,
            "anchor": _anchor(reading),
        },
    }
    plain: dict[str, Any] = _plain(document, "reading")
    validate_document(plain)
    return plain


def label_map_files(reading: Reading) -> dict[str, str]:
    """Return series id -> file name of its label map: the primary's has the plain name, others their id."""
    ending = ".png" if reading.study.source is SourceKind.PICTURE else ".nii.gz"
    primary = reading.segmented.primary_series_id
    names = {}
    for item in reading.segmented.label_maps:
        stem = LABEL_MAP if item.series_id == primary else f"{LABEL_MAP}_{item.series_id}"
        names[item.series_id] = stem + ending
    return names


def _explanation(reading: Reading) -> dict[str, Any]:
    """Return the ``explanation`` block where there is one."""
    found = reading.explanation
    if found is None:
        return {}
    return {
        "explanation": {
            "series": found.series_id,
            "slice": found.slice_index,
            "prompts": list(found.prompt_names),
            "picture": ATTENTION_PICTURE,
            "maps": ATTENTION_MAPS,
        }
    }


def _anchor(reading: Reading) -> dict[str, Any] | None:
    if reading.anchor is None:
        return None
    level, point = reading.anchor
    return {"level": level, "point_px": list(point), "series": reading.segmented.primary_series_id}


def validate_document(document: Mapping[str, Any]) -> None:
    """Check reading.json content against the schema and its own references.

    Raises:
        ReportError: Naming the first thing that is wrong and where.
    """
    error = next(iter(sorted(_validator().iter_errors(document), key=lambda item: list(item.path))), None)
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "the whole document"
        raise ReportError(f"reading.json breaks {SCHEMA_NAME} at {where}: {_shorten(error.message)}")
    problem = next(_reference_problems(document), None)
    if problem is not None:
        raise ReportError(f"reading.json breaks {SCHEMA_NAME}: {problem}")


def load_reading(path: Path) -> dict[str, Any]:
    """Read a reading.json back.

    Raises:
        StudyError: If the file is missing, is not JSON, or is not a reading of this schema.
    """
    expected = f"a reading.json of schema {SCHEMA_NAME}"
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise StudyError(f"{path.name}: expected {expected}, found a file of more than 64 MiB")
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise StudyError(f"{path.name}: expected {expected}, found none ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"{path.name}: expected {expected}, found no valid JSON") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA_NAME:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise StudyError(f"{path.name}: expected {expected}, found {_shorten(repr(found))}")
    try:
        validate_document(content)
    except ReportError as error:
        raise StudyError(f"{path.name}: {error}; write it anew with `spinescribe read`") from error
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _plain(value: Any, where: str) -> Any:
    """Return JSON-ready data: numpy numbers become Python's, floats keep six decimals.

    Raises:
        ReportError: If a number is not finite, or something is no plain data.
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, np.generic):
        return _plain(value.item(), where)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ReportError(f"{where}: expected a finite number or null, got {value!r}")
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}/{key}") for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item, f"{where}/{index}") for index, item in enumerate(value)]
    raise ReportError(f"{where}: expected plain data, got {type(value).__name__}")


def _reference_problems(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield every broken reference and repeated id, in words."""
    grades = [grade["id"] for grade in document["grades"]]
    measurements = [item["id"] for item in document["measurements"]]
    for name, count in Counter([*grades, *measurements]).items():
        if count > 1:
            yield f"the id {name} is used {count} times"
    for name, count in Counter(level["name"] for level in document["levels"]).items():
        if count > 1:
            yield f"the level {name} is named {count} times"
    series = {item["id"] for item in document["study"]["series"]}
    for item in (*document["levels"], *document["measurements"], *document["detections"]):
        if item["series"] not in series:
            yield f"the series {item['series']} is not in the study"
    for grade in document["grades"]:
        yield from _grade_problems(grade, set(measurements), series)
    for term in document["burden"]["terms"]:
        if term["grade"] not in grades:
            yield f"the burden score refers to {term['grade']}, which does not exist"
    yield from _burden_problems(document["burden"])
    rows = _comparison_rows(document)
    for row in rows:
        if row["now"] is not None and row["now"]["id"] not in grades and row["now"]["id"] not in measurements:
            yield f"the comparison refers to {row['now']['id']}, which does not exist"
    compared = {row["before"]["id"] for row in rows if row["before"] is not None}
    for section in document["report"]["sections"]:
        for sentence in section["sentences"]:
            for name in sentence["finding_ids"]:
                if name not in grades and name not in measurements:
                    yield f"a sentence of {section['name']} refers to {name}, which does not exist"
            for name in sentence.get("prior_finding_ids", ()):
                if name not in compared:
                    yield f"a sentence of {section['name']} refers to {name} of a prior that is not compared"


def _comparison_rows(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    table = document.get("comparison", {"grades": [], "measurements": []})
    return [*table["grades"], *table["measurements"]]


def _burden_problems(burden: Mapping[str, Any]) -> Iterator[str]:
    score, interval = burden["score"], burden.get("interval")
    if interval is not None and (score is None or not interval[0] <= score <= interval[1]):
        yield f"the burden score {score} is outside its interval {interval[0]} to {interval[1]}"


def _grade_problems(grade: Mapping[str, Any], measurements: set[str], series: set[str]) -> Iterator[str]:
    if grade["grade"] is not None and grade["grade"] not in grade["prediction_set"]:
        yield f"{grade['id']}: its prediction set does not hold its grade"
    if grade["evidence"] is not None and grade["evidence"]["series"] not in series:
        yield f"{grade['id']}: the series {grade['evidence']['series']} is not in the study"
    for name in grade["measurements"]:
        if name not in measurements:
            yield f"{grade['id']} rests on {name}, which does not exist"


def _shorten(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."
