"""Records of a phantom: volumes, label maps and the truth, all in RAS+ millimetres.

World frame: x grows to the patient's right, y to the front, z to the head. So the patient's left is x < 0 of the
midline. Truth is measured on the finished geometry, never copied from what the draw asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import Condition, Side
from imaging.types import AffineMatrix, FloatVolume, Plane, Sequence


@dataclass(frozen=True)
class PhantomSeries:
    """One series of a phantom study.

    Attributes:
        role: Role name of the protocol, such as ``sagittal_t2``.
        plane: Orientation.
        sequence: Weighting.
        array: Intensities (I, J, K) = (columns, rows, slices), whole numbers from 0 as float32.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm.
        label_array: (I, J, K) uint8, numbers of ``anatomy/codes.csv``, taken at the voxel centres.
        header: Acquisition facts for the DICOM writer, such as ``repetition_time_ms``.
    """

    role: str
    plane: Plane
    sequence: Sequence
    array: FloatVolume
    affine: AffineMatrix
    label_array: NDArray[np.uint8]
    header: dict[str, float | int | str]


@dataclass(frozen=True)
class TruthLevel:
    """Where a disc level lies.

    Attributes:
        name: Such as ``L4-L5``.
        centre_ras_mm: Centre of the disc.
        posterior_ras_mm: Posterior disc margin at the canal, in the level's mid-sagittal plane.
    """

    name: str
    centre_ras_mm: tuple[float, float, float]
    posterior_ras_mm: tuple[float, float, float]


@dataclass(frozen=True)
class TruthMeasurement:
    """A quantity measured on the geometry.

    Attributes:
        name: Such as ``disc_height``, ``canal_ap_diameter``, ``listhesis``, ``foraminal_width``.
        level: Disc level.
        side: Patient's side, or None.
        value: In ``unit``.
        unit: ``mm``, ``mm2`` or ``1``.
        method: One short phrase.
    """

    name: str
    level: str
    side: Side | None
    value: float
    unit: str
    method: str


@dataclass(frozen=True)
class TruthGrade:
    """A grade that follows from the measurements and tissues by a named rule.

    Attributes:
        level: Disc level.
        side: Patient's side for sided conditions and for a herniation off the midline, else None.
        condition: Which.
        scale: Name in ``anatomy.SCALES``.
        grade: Step of the scale.
        rule: Name and version of the rule that decided.
    """

    level: str
    side: Side | None
    condition: Condition
    scale: str
    grade: str
    rule: str


@dataclass(frozen=True)
class TruthBox:
    """A box around something that a detector should find.

    Attributes:
        label: Such as ``cord_compression`` or ``bone_marrow_oedema``.
        level: Disc level, or ``SIJ``.
        side: Patient's side, or None.
        low_ras_mm: Lower corner, RAS+ mm.
        high_ras_mm: Upper corner, RAS+ mm.
    """

    label: str
    level: str
    side: Side | None
    low_ras_mm: tuple[float, float, float]
    high_ras_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Phantom:
    """A made-up patient, fully known.

    Attributes:
        protocol: Protocol name.
        seed: Decides everything.
        version: Version of the phantom's tables.
        sex: ``F`` or ``M``.
        age_years: Whole years.
        series: All series, sagittal first.
        levels: Levels in the field of view, cranial to caudal.
        measurements: Truth measurements.
        grades: Truth grades.
        boxes: What a detector should find.
        details: Further truth of the body region, ready for JSON, such as the SPARCC table of each slice.
    """

    protocol: str
    seed: int
    version: str
    sex: str
    age_years: int
    series: tuple[PhantomSeries, ...]
    levels: tuple[TruthLevel, ...]
    measurements: tuple[TruthMeasurement, ...]
    grades: tuple[TruthGrade, ...]
    boxes: tuple[TruthBox, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the folder and patient name, such as ``phantom_0007``."""
        return f"phantom_{self.seed:04d}"

    def series_by_role(self, role: str) -> PhantomSeries:
        """Return a series by role.

        Raises:
            KeyError: If the phantom has no such series.
        """
        for series in self.series:
            if series.role == role:
                return series
        raise KeyError(f"phantom series: expected one of {[s.role for s in self.series]}, got {role!r}")

    def level(self, name: str) -> TruthLevel:
        """Return a level by name.

        Raises:
            KeyError: If the level is not in the field of view.
        """
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(f"phantom level: expected one of {[item.name for item in self.levels]}, got {name!r}")

    def measurement(self, name: str, level: str, side: Side | None = None) -> float:
        """Return a truth measurement's value.

        Raises:
            KeyError: If it was not measured.
        """
        for item in self.measurements:
            if (item.name, item.level, item.side) == (name, level, side):
                return item.value
        raise KeyError(f"phantom measurement: none named {name!r} at {level!r}, side {side!r}")

    def grade(self, condition: Condition, level: str, side: Side | None = None) -> str:
        """Return a truth grade; the side is asked for only where the condition is graded by side.

        Raises:
            KeyError: If it was not graded.
        """
        for item in self.grades:
            if item.condition is condition and item.level == level and (side is None or item.side is side):
                return item.grade
        raise KeyError(f"phantom grade: none of {condition.value!r} at {level!r}, side {side!r}")

    def truth(self) -> dict[str, Any]:
        """Return what truth.json holds (schema ``spinescribe.phantom/1``)."""
        return {
            "schema": "spinescribe.phantom/1",
            "version": self.version,
            "protocol": self.protocol,
            "seed": self.seed,
            "sex": self.sex,
            "age_years": self.age_years,
            "frame": "RAS+ mm: x to the patient's right, y to the front, z to the head",
            "series": [
                {
                    "role": series.role,
                    "plane": series.plane.value,
                    "sequence": series.sequence.value,
                    "shape": list(series.array.shape),
                    "affine_ras": series.affine.tolist(),
                }
                for series in self.series
            ],
            "levels": [
                {
                    "name": level.name,
                    "centre_mm": list(level.centre_ras_mm),
                    "posterior_mm": list(level.posterior_ras_mm),
                }
                for level in self.levels
            ],
            "measurements": [
                {
                    "name": item.name,
                    "level": item.level,
                    "side": None if item.side is None else item.side.value,
                    "value": round(item.value, 3),
                    "unit": item.unit,
                    "method": item.method,
                }
                for item in self.measurements
            ],
            "grades": [
                {
                    "level": item.level,
                    "side": None if item.side is None else item.side.value,
                    "condition": item.condition.value,
                    "scale": item.scale,
                    "grade": item.grade,
                    "rule": item.rule,
                }
                for item in self.grades
            ],
            "boxes": [
                {
                    "label": box.label,
                    "level": box.level,
                    "side": None if box.side is None else box.side.value,
                    "low_mm": [round(value, 2) for value in box.low_ras_mm],
                    "high_mm": [round(value, 2) for value in box.high_ras_mm],
                }
                for box in self.boxes
            ],
            "details": dict(self.details),
        }
