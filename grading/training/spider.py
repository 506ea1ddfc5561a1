"""SPIDER's middle slices, posterior points and gradings as training cases.

Reference points exist for L1-L2 to L5-S1 on the T2 slices; a T1 slice shares them only where its size and spacing
are those of the T2 slice. Points found by segmentation models fill in the rest when they are given.

Data: SPIDER, CC BY 4.0, van der Graaf et al., Sci Data 11:264 (2024), doi 10.1038/s41597-024-03090-w; points:
Lumbar Coordinate Pretraining Dataset (MIT).
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anatomy import DISC_LEVELS
from grading.biomarkers import Values, biomarker_names
from grading.config import GraderConfig
from grading.heads import label_columns
from grading.training.cases import Case, CaseSlice, Points, make_strip

_COLUMNS = {
    "disc_degeneration": "Pfirrman grade",
    "modic": "Modic",
    "upper_endplate_change": "UP endplate",
    "lower_endplate_change": "LOW endplate",
    "spondylolisthesis": "Spondylolisthesis",
    "disc_herniation": "Disc herniation",
    "disc_narrowing": "Disc narrowing",
    "disc_bulging": "Disc bulging",
}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as dicts."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_labels(data_dir: Path, config: GraderConfig) -> dict[int, NDArray[np.int64]]:
    """Read gradings.csv: patient -> steps (L, columns), -1 where a level or a condition is not graded."""
    columns, levels = label_columns(config.heads), config.network.levels
    width = sum(len(taken) for taken in columns.values())
    labels: dict[int, NDArray[np.int64]] = {}
    for row in read_rows(data_dir / "spider" / "gradings.csv"):
        level = DISC_LEVELS[-int(row["IVD label"])]  # 1 is L5-S1, counting upward
        if level not in levels:
            continue
        table = labels.setdefault(int(row["Patient"]), np.full((len(levels), width), -1, dtype=np.int64))
        for head in config.heads:
            if head.key in _COLUMNS:
                value = int(row[_COLUMNS[head.key]])
                (column,) = columns[head.key]
                table[levels.index(level), column] = value - 1 if head.scale == "pfirrmann" else value
    return labels


def read_reference_points(data_dir: Path) -> dict[str, Points]:
    """Read disc_points.csv: file -> points in pixels; T1 slices of the same grid get those of their T2 slice."""
    rows = read_rows(data_dir / "spider" / "midsagittal.csv")
    by_file = {row["file"]: row for row in rows}
    points: dict[str, Points] = defaultdict(dict)
    for row in read_rows(data_dir / "spider" / "disc_points.csv"):
        size = by_file[row["file"]]
        x = float(row["relative_x"]) * int(size["cols"]) - 0.5
        y = float(row["relative_y"]) * int(size["rows"]) - 0.5
        points[row["file"]][row["level"]] = (x, y)
    for row in rows:
        twin = by_file.get(f"{row['patient']}_t2.png")
        if row["sequence"] == "t1" and twin is not None and _same_grid(row, twin) and twin["file"] in points:
            points[row["file"]] = dict(points[twin["file"]])
    return dict(points)


def read_found_points(path: Path, *, teaching_only: bool) -> dict[str, Points]:
    """Read points found by segmentation (``found_points``): file -> level -> (x, y) in pixels.

    Args:
        path: The CSV.
        teaching_only: Leave out slices that must not be trained on.
    """
    points: dict[str, Points] = defaultdict(dict)
    for row in read_rows(path):
        if row["level"] and (row["teaches"] == "yes" or not teaching_only):
            points[row["file"]][row["level"]] = (float(row["x"]), float(row["y"]))
    return dict(points)


def read_found_biomarkers(path: Path, *, teaching_only: bool) -> dict[str, dict[str, Values]]:
    """Read biomarkers of found levels (``found_points``): file -> level -> (M,) in the order of the table.

    Args:
        path: The CSV.
        teaching_only: Leave out slices that must not be trained on.
    """
    found: dict[str, dict[str, Values]] = defaultdict(dict)
    for row in read_rows(path):
        if row["level"] and (row["teaches"] == "yes" or not teaching_only):
            values = [float(row[name]) if row[name] else np.nan for name in biomarker_names()]
            found[row["file"]][row["level"]] = np.array(values, dtype=np.float32)
    return dict(found)


def merge_points(reference: dict[str, Points], found: dict[str, Points]) -> dict[str, Points]:
    """Fill levels and slices without reference points with found ones."""
    return {file: found.get(file, {}) | reference.get(file, {}) for file in {*reference, *found}}


def read_cases(
    data_dir: Path,
    config: GraderConfig,
    points: dict[str, Points],
    biomarkers: Mapping[str, Mapping[str, Values]] | None = None,
) -> tuple[Case, ...]:
    """Read every patient with gradings and at least one slice with two points or more.

    Args:
        data_dir: Folder of the real data.
        config: Levels and crops.
        points: File -> level -> posterior point.
        biomarkers: File -> level -> (M,); None leaves them unknown.
    """
    labels = read_labels(data_dir, config)
    slices: dict[int, list[CaseSlice]] = defaultdict(list)
    for row in read_rows(data_dir / "spider" / "midsagittal.csv"):
        chain = {
            level: point for level, point in points.get(row["file"], {}).items() if level in config.network.levels
        }
        if len(chain) >= 2:
            sequence = row["sequence"].removesuffix("_SPACE")
            image = np.asarray(Image.open(data_dir / "spider" / "midsagittal" / row["file"]), dtype=np.float32)
            strip = make_strip(sequence, row["file"], image, chain, config)
            known = (biomarkers or {}).get(row["file"], {})
            slices[int(row["patient"])].append(replace(strip, biomarkers=known))
    return tuple(
        Case(patient, tuple(slices[patient]), labels[patient]) for patient in sorted(labels) if patient in slices
    )


def _same_grid(first: dict[str, str], second: dict[str, str]) -> bool:
    sizes = all(first[key] == second[key] for key in ("rows", "cols"))
    spacings = all(
        abs(float(first[key]) - float(second[key])) < 1e-3 for key in ("row_spacing_mm", "col_spacing_mm")
    )
    return sizes and spacings
