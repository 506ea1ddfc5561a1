"""Posterior points found by segmentation models, for every middle slice of SPIDER.

Two files, for two purposes:

- ``python -m grading.training.found_points`` writes ``runs/grading/points.csv``: each patient's points come from
  the fold model that held the patient out. The benchmark grades at them, end to end.
- ``python -m grading.training.found_points --model fold0`` writes ``runs/grading/training_points.csv`` with one
  model for everyone. Training takes those marked ``yes`` for levels and slices without reference points; no
  grading ever reaches a segmentation model, so this teaches the grader nothing of held-out patients.

A slice is marked ``yes`` when

- the reference points of its T2 slice agree with the found ones of the same names, directly, or by relative
  position where a T1 or SPACE slice covers the same field of view; or
- nothing can be compared, but the segmentation is at least 90 % sure of its names.

So a wrongly numbered slice does not teach wrong labels where that can be known; nothing of this is used in the
end-to-end figures, which take every found point as it is.
"""

import argparse
import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anatomy import Protocol, load_protocol
from grading.biomarkers import Values, biomarker_names, level_biomarkers
from grading.crops import Point, crop_frames
from grading.training.cases import Points
from grading.training.spider import read_reference_points, read_rows
from imaging import load_study
from imaging.types import Spacing
from runtime.errors import NotEligibleError
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from segmentation import Segmenter
from segmentation.types import Level

logger = logging.getLogger(__name__)
_AGREES_WITHIN = 0.3  # pitches: the tolerance of the level benchmark (issue 2, targets)
_SURE_FROM = 0.9  # ours: confidence below which an unchecked slice teaches nothing
_SAME_FIELD = 0.02  # ours: relative difference of the fields of view that still counts as the same
COLUMNS = ("file", "patient", "fold", "level", "x", "y", "confidence", "doubt", "teaches", *biomarker_names())


@dataclass(frozen=True)
class FoundSlice:
    """Levels found on one slice; none when the segmentation refused it.

    Attributes:
        row: The slice's row of midsagittal.csv.
        fold: Fold that holds the patient out.
        levels: Named levels.
        biomarkers: Level -> (M,) of ``grading.biomarkers``.
        refusal: Why there are none, or None.
    """

    row: dict[str, str]
    fold: int
    levels: tuple[Level, ...]
    refusal: str | None
    biomarkers: Mapping[str, Values] = field(default_factory=dict)


def find_fold(fold: int, segmenter: Segmenter, data_dir: Path) -> list[FoundSlice]:
    """Segment the slices of one fold's patients."""
    protocol = load_protocol("lumbar")
    fold_of = spider_folds()
    rows = read_rows(data_dir / "spider" / "midsagittal.csv")
    return [
        _find_slice(row, fold, segmenter, protocol, data_dir)
        for row in rows
        if fold_of[int(row["patient"])] == fold
    ]


def _find_slice(
    row: dict[str, str], fold: int, segmenter: Segmenter, protocol: Protocol, data_dir: Path
) -> FoundSlice:
    # Millimetres only where the header is to be believed; the shape of the pixels is square in every file.
    spacing = None
    if row["spacing_trusted"] == "yes":
        spacing = Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
    study = load_study(data_dir / "spider" / "midsagittal" / row["file"], protocol=protocol.name, spacing=spacing)
    try:
        found = segmenter.segment_study(study, protocol)
    except NotEligibleError as error:
        return FoundSlice(row, fold, (), str(error))
    return FoundSlice(row, fold, found.levels, None, level_biomarkers(found.levels, found.measurements))


def teaches(found: FoundSlice, by_file: dict[str, dict[str, str]], reference: dict[str, Points]) -> bool:
    """Return whether a slice's found points may be trained on (see the module's description)."""
    if len(found.levels) < 2:
        return False
    twin = by_file.get(f"{found.row['patient']}_t2.png")
    expected = None if twin is None else _expected_points(found.row, twin, reference)
    if expected is None:
        return all(level.confidence >= _SURE_FROM for level in found.levels)
    pitch = float(np.median([frame.pitch for frame in crop_frames(expected)]))
    errors = [
        float(np.hypot(level.posterior_px[0] - x, level.posterior_px[1] - y)) / pitch
        for level in found.levels
        for x, y in [expected.get(level.name, (np.nan, np.nan))]
    ]
    known = [error for error in errors if np.isfinite(error)]
    return len(known) >= 2 and max(known) <= _AGREES_WITHIN


def _expected_points(row: dict[str, str], twin: dict[str, str], reference: dict[str, Points]) -> Points | None:
    """Return the T2 slice's points on this slice's grid; None where they cannot be carried over."""
    points = reference.get(twin["file"])
    if points is None:
        return None
    (height, width), (twin_height, twin_width) = _field_mm(row), _field_mm(twin)
    if abs(height / twin_height - 1) > _SAME_FIELD or abs(width / twin_width - 1) > _SAME_FIELD:
        return None
    x_scale, y_scale = int(row["cols"]) / int(twin["cols"]), int(row["rows"]) / int(twin["rows"])
    return {level: _scaled(point, x_scale, y_scale) for level, point in points.items()}


def _scaled(point: Point, x_scale: float, y_scale: float) -> Point:
    return (point[0] + 0.5) * x_scale - 0.5, (point[1] + 0.5) * y_scale - 0.5


def _field_mm(row: dict[str, str]) -> tuple[float, float]:
    return int(row["rows"]) * float(row["row_spacing_mm"]), int(row["cols"]) * float(row["col_spacing_mm"])


def write_points(found: Sequence[FoundSlice], data_dir: Path, file: Path) -> None:
    """Write found levels as CSV; a refused slice has one row without a level."""
    by_file = {row["file"]: row for row in read_rows(data_dir / "spider" / "midsagittal.csv")}
    reference = read_reference_points(data_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for item in found:
            start = [item.row["file"], item.row["patient"], item.fold]
            mark = "yes" if teaches(item, by_file, reference) else "no"
            for level in item.levels:
                x, y = level.posterior_px
                place = [f"{x:.2f}", f"{y:.2f}", f"{level.confidence:.3f}", level.doubt or ""]
                values = item.biomarkers.get(level.name, ())
                told = [f"{value:.3f}" if np.isfinite(value) else "" for value in values]
                writer.writerow([*start, level.name, *place, mark, *told])
            if not item.levels:
                writer.writerow([*start, "", "", "", "", item.refusal, "no"])


def main() -> None:
    """Find the points of the folds asked for and join them with those found before."""
    parser = argparse.ArgumentParser(description="Find posterior points on SPIDER's middle slices")
    parser.add_argument("--segmentation-runs", type=Path, default=Path("runs/segmentation"))
    parser.add_argument("--model", help="one model for all patients, such as fold0: points to train on")
    parser.add_argument("--out", type=Path, default=Path("runs/grading"))
    parser.add_argument("--fold", type=int, choices=range(FOLD_COUNT), action="append")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    data_dir = load_settings().data_dir
    stem = "points" if options.model is None else "training_points"
    for fold in options.fold or range(FOLD_COUNT):
        segmenter = Segmenter.load(weights_root=options.segmentation_runs, name=options.model or f"fold{fold}")
        found = find_fold(fold, segmenter, data_dir)
        refused = sum(not item.levels for item in found)
        logger.info("fold %d: %d slices, %d refused", fold, len(found), refused)
        write_points(found, data_dir, options.out / f"{stem}_fold{fold}.csv")
    _join_folds(options.out, stem)


def _join_folds(folder: Path, stem: str) -> None:
    """Join the folds' files to one."""
    parts = sorted(folder.glob(f"{stem}_fold*.csv"))
    rows = [row for part in parts for row in read_rows(part)]
    with (folder / f"{stem}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    logger.info("%d rows of %d folds in %s.csv", len(rows), len(parts), stem)


if __name__ == "__main__":
    main()
