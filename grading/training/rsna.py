"""The published folder of the RSNA 2024 lumbar challenge as records: labels, points and series, no pixels yet.

Layout (Kaggle, ``rsna-2024-lumbar-spine-degenerative-classification``):

- ``train.csv``: ``study_id`` and one column per condition, side and level, such as
  ``left_neural_foraminal_narrowing_l4_l5``, holding ``Normal/Mild``, ``Moderate``, ``Severe`` or nothing;
- ``train_label_coordinates.csv``: ``study_id, series_id, instance_number, condition, level, x, y`` in pixels;
- ``train_series_descriptions.csv``: ``study_id, series_id, series_description`` (``Sagittal T1``,
  ``Sagittal T2/STIR``, ``Axial T2``);
- ``train_images/<study_id>/<series_id>/<instance_number>.dcm``.

The data may not be passed on, so none of it is here; the tests make rows of this shape up.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anatomy import DISC_LEVELS, Condition, Side
from runtime.errors import ConfigError

GRADES = {"Normal/Mild": "normal_mild", "Moderate": "moderate", "Severe": "severe"}
ROLES = {"Sagittal T1": "sagittal_t1", "Sagittal T2/STIR": "sagittal_t2", "Axial T2": "axial_t2"}
CONDITIONS = (
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.NEURAL_FORAMINAL_NARROWING,
    Condition.SUBARTICULAR_STENOSIS,
)
_COLUMN = re.compile(r"(?:(left|right)_)?(" + "|".join(CONDITIONS) + r")_([lst]\d+)_([lst]\d+)")
_WORDS = re.compile(r"(?:(left|right) )?(" + "|".join(name.replace("_", " ") for name in CONDITIONS) + ")", re.I)
_POINT_COLUMNS = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")

Place = tuple[Condition, Side | None, str]
"""Condition, side and level of one graded place."""


@dataclass(frozen=True)
class RsnaPoint:
    """Where a reader marked a place.

    Attributes:
        series: Identifier of the series.
        instance: Instance number of the slice.
        x: Column in pixels.
        y: Row in pixels.
    """

    series: str
    instance: int
    x: float
    y: float


@dataclass(frozen=True)
class RsnaStudy:
    """One study of the challenge.

    Attributes:
        study: Identifier.
        grades: Place -> step of the ``rsna`` scale; places without a label are missing.
        points: Place -> where it was marked; ungraded or unmarked places are missing.
        series: Series -> role (``sagittal_t1``, ``sagittal_t2``, ``axial_t2``).
        folder: Of its DICOM files.
    """

    study: str
    grades: dict[Place, str]
    points: dict[Place, RsnaPoint]
    series: dict[str, str]
    folder: Path

    def file_of(self, point: RsnaPoint) -> Path:
        """Return the DICOM file that a point lies on."""
        return self.folder / point.series / f"{point.instance}.dcm"


def read_rsna(folder: Path) -> tuple[RsnaStudy, ...]:
    """Read the three tables of a challenge folder, studies in the order of ``train.csv``.

    Raises:
        ConfigError: If a table or one of its columns is missing, or a value is none of those published.
    """
    points, series = _points(folder), _series(folder)
    return tuple(
        RsnaStudy(
            study=row["study_id"],
            grades=_grades(row, folder),
            points=points[row["study_id"]],
            series=series[row["study_id"]],
            folder=folder / "train_images" / row["study_id"],
        )
        for row in _rows(folder / "train.csv", ("study_id",))
    )


def _grades(row: dict[str, str], folder: Path) -> dict[Place, str]:
    grades: dict[Place, str] = {}
    for name, value in row.items():
        if name == "study_id" or not value:
            continue
        place = _place_of_column(name)
        if place is None or value not in GRADES:
            expected = f"a graded column with one of {', '.join(GRADES)}"
            raise ConfigError(f"{folder / 'train.csv'}: expected {expected}, got {name!r} with {value!r}")
        grades[place] = GRADES[value]
    return grades


def _place_of_column(name: str) -> Place | None:
    match = _COLUMN.fullmatch(name)
    if match is None:
        return None
    side, condition, upper, lower = match.groups()
    level = f"{upper}-{lower}".upper()
    return (Condition(condition), None if side is None else Side(side), level) if level in DISC_LEVELS else None


def _points(folder: Path) -> defaultdict[str, dict[Place, RsnaPoint]]:
    file = folder / "train_label_coordinates.csv"
    points: defaultdict[str, dict[Place, RsnaPoint]] = defaultdict(dict)
    for row in _rows(file, _POINT_COLUMNS):
        match, level = _WORDS.fullmatch(row["condition"]), row["level"].replace("/", "-")
        if match is None or level not in DISC_LEVELS:
            raise ConfigError(
                f"{file}: expected a condition and level such as 'Left Subarticular Stenosis' at L4/L5, got "
                f"{row['condition']!r} at {row['level']!r}"
            )
        side, words = match.groups()
        place = (
            Condition(words.lower().replace(" ", "_")),
            None if side is None else Side(side.lower()),
            level,
        )
        try:
            point = RsnaPoint(row["series_id"], int(row["instance_number"]), float(row["x"]), float(row["y"]))
        except ValueError as error:
            raise ConfigError(f"{file}: study {row['study_id']}: expected numbers, got {error}") from None
        points[row["study_id"]][place] = point
    return points


def _series(folder: Path) -> defaultdict[str, dict[str, str]]:
    file = folder / "train_series_descriptions.csv"
    series: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in _rows(file, ("study_id", "series_id", "series_description")):
        if row["series_description"] not in ROLES:
            raise ConfigError(
                f"{file}: expected a description among {', '.join(ROLES)}, got {row['series_description']!r}"
            )
        series[row["study_id"]][row["series_id"]] = ROLES[row["series_description"]]
    return series


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    if not file.is_file():
        raise ConfigError(f"{file}: expected a table of the RSNA 2024 challenge, found no file")
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ConfigError(f"{file}: expected columns {', '.join(columns)}; missing {', '.join(missing)}")
        yield from reader
