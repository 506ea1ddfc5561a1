"""A reading as the files of the image viewer: a manifest, and per series its voxels and its label map.

Frame. A slice is stored row by row as it is displayed: x is the first array axis (column), y the second (row), the
frame of ``box_px``; slices follow one another. Numbers are little endian: int16 values, uint16 labels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from anatomy import CONDITIONS, DISC_LEVELS, SCALES, STRUCTURES, VERTEBRAE, disc_label, vertebra_label
from grading.types import Grade
from imaging.types import Series
from pipeline import reading_to_dict
from pipeline.grounding import place_of
from pipeline.types import Reading
from reporting.quantities import quantity_words
from reporting.slice_picture import directions, structure_colours
from reporting.verifier import positive_grades
from segmentation.types import Level, Measurement
from service.viewing.values import StoredValues, first_window, store_values

MANIFEST = "viewer.json"
SCHEMA = "spinescribe.viewer/1"
_EDGES = ("left", "right", "top", "bottom")
_DIGITS = 3


def values_file(series_id: str) -> str:
    """Return the name of the file of a series' values."""
    return f"viewer-{series_id}.i16"


def labels_file(series_id: str) -> str:
    """Return the name of the file of a series' label map."""
    return f"viewer-{series_id}.labels.u16"


def viewer_files(reading: Reading) -> dict[str, bytes]:
    """Return name -> bytes of everything the viewer shows of a reading, the manifest first."""
    files: dict[str, bytes] = {MANIFEST: b""}
    boxes = _boxes(reading)
    rows = []
    for series in reading.study.series:
        values = store_values(series.volume.array)
        files[values_file(series.id)] = values.array.transpose(2, 1, 0).astype("<i2").tobytes()
        label_map = reading.segmented.label_map(series.id)
        if label_map is not None:
            files[labels_file(series.id)] = label_map.array.transpose(2, 1, 0).astype("<u2").tobytes()
        rows.append(_series_row(reading, series, values, boxes.get(series.id, [])))
    manifest = {
        "schema": SCHEMA,
        "primary_series": reading.segmented.primary_series_id,
        "series": rows,
        "structures": _structures(reading),
    }
    files[MANIFEST] = json.dumps(manifest, ensure_ascii=False, allow_nan=False).encode()
    return files


def _series_row(
    reading: Reading, series: Series, values: StoredValues, boxes: list[dict[str, Any]]
) -> dict[str, Any]:
    volume = series.volume
    columns, rows, slices = volume.shape
    levels = _levels(reading, series)
    centre, width = first_window(series)
    spacing = volume.spacing
    return {
        "id": series.id,
        "role": series.role,
        "plane": series.plane.value,
        "sequence": series.sequence.value,
        "rows": rows,
        "columns": columns,
        "slices": slices,
        "row_mm": None if spacing is None else spacing.row_mm,
        "column_mm": None if spacing is None else spacing.col_mm,
        "slice_mm": None if spacing is None else spacing.slice_mm,
        "affine": None if volume.affine is None else [[float(item) for item in row] for row in volume.affine],
        "directions": _directions(series, levels),
        "window": {"centre": centre, "width": width},
        "value_range": [float(volume.array.min()), float(volume.array.max())],
        "scale": {"slope": values.slope, "intercept": values.intercept},
        "start_slice": _start_slice(levels, slices),
        "has_labels": reading.segmented.label_map(series.id) is not None,
        "levels": [_level_row(level) for level in levels],
        "measurements": [
            _measurement_row(item, item.line_px)
            for item in reading.findings.measurements
            if item.series_id == series.id and item.line_px is not None and item.slice_index is not None
        ],
        "boxes": boxes,
    }


def _levels(reading: Reading, series: Series) -> tuple[Level, ...]:
    own = reading.segmented.series_levels.get(series.id, ())
    return own or tuple(level for level in reading.segmented.levels if level.series_id == series.id)


def _directions(series: Series, levels: tuple[Level, ...]) -> dict[str, str | None]:
    """Return the patient's direction at each edge; None where neither geometry nor levels tell it."""
    if series.volume.affine is None and not levels:
        return dict.fromkeys(_EDGES)
    return dict(zip(_EDGES, directions(series.volume, levels), strict=True))


def _start_slice(levels: tuple[Level, ...], slices: int) -> int:
    """Return the slice on which most levels lie, of equals the middle one; without levels the middle slice."""
    counts = Counter(level.slice_index for level in levels)
    if not counts:
        return slices // 2
    most = sorted(k for k, count in counts.items() if count == max(counts.values()))
    return most[len(most) // 2]


def _level_row(level: Level) -> dict[str, Any]:
    return {
        "name": level.name,
        "slice": level.slice_index,
        "centre_px": _rounded(level.centre_px),
        "posterior_px": _rounded(level.posterior_px),
        "confidence": round(level.confidence, _DIGITS),
        "doubt": level.doubt,
    }


def _measurement_row(item: Measurement, line: tuple[tuple[float, float], tuple[float, float]]) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": quantity_words(item.name),
        "level": item.level,
        "value": item.value,
        "unit": item.unit,
        "slice": item.slice_index,
        "line_px": [_rounded(point) for point in line],
    }


def _boxes(reading: Reading) -> dict[str, list[dict[str, Any]]]:
    """Return series id -> boxes of the graded findings that lie in an image."""
    document = reading_to_dict(reading)
    positive = {grade.id for grade in positive_grades(reading.findings)}
    found: dict[str, list[dict[str, Any]]] = {}
    for grade in reading.findings.reported:
        place = place_of(document, grade.id).evidence
        if place is None:
            continue
        row = {
            "finding_id": grade.id,
            "slice": place.slice_index,
            "box_px": _rounded(place.box_px),
            "level": grade.level,
            "words": _words(grade),
            "is_positive": grade.id in positive,
        }
        found.setdefault(place.series_id, []).append(row)
    return found


def _words(grade: Grade) -> str:
    """Return a finding in words, such as ``disc bulge at L4-L5: present``; steps not excluded are told too."""
    place = "" if grade.level is None else f" at {grade.level}"
    side = "" if grade.side is None else f", {grade.side.value}"
    scale = SCALES[grade.scale]
    step = "not graded" if grade.grade is None else scale.step(grade.grade).words
    others = [scale.step(item).words for item in grade.prediction_set if item != grade.grade]
    doubt = f" ({', '.join(others)} not excluded)" if others else ""
    return f"{CONDITIONS[grade.condition].words}{place}{side}: {step}{doubt}"


def _structures(reading: Reading) -> list[dict[str, Any]]:
    """Return the structures that are in any label map, with their colours and, of discs, their level."""
    colours, names = structure_colours(), structure_names()
    present = {int(label) for item in reading.segmented.label_maps for label in np.unique(item.array)}
    levels = {disc_label(level): level for level in DISC_LEVELS}
    return [
        {
            "label": label,
            "name": names[label],
            "colour": "#{:02x}{:02x}{:02x}".format(*colours[label]),
            "level": levels.get(label),
        }
        for label in sorted(present & colours.keys())
    ]


def structure_names() -> Mapping[int, str]:
    """Return label number -> name of every structure that can be in a label map."""
    names = {vertebra_label(name): f"vertebra {name}" for name in VERTEBRAE}
    names |= {disc_label(level): f"disc {level}" for level in DISC_LEVELS}
    named = {info.label: structure.value for structure, info in STRUCTURES.items() if info.label is not None}
    return names | {label: name.replace("_", " ") for label, name in named.items()}


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
