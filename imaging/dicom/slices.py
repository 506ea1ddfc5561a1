"""Slices of an instance with their place: one for a classic MR image, one per frame for an enhanced one.

Source: DICOM PS3.3 C.7.6.2 (image plane); frames of enhanced objects are in ``imaging.dicom.frames``.
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.dicom.headers import InstanceHeader
from imaging.dicom.values import number, numbers, whole

# Headers round direction cosines; a unit vector may be off by this, and so may a right angle. Ours.
DIRECTION_TOLERANCE = 1e-2
# Positions, mm, past which no patient lies; a number beyond is damage. Ours: the bore of a magnet is 2 m long.
FARTHEST_MM = 1e5

Marks = tuple[tuple[str, Hashable], ...]
"""What may tell slices at one place apart, in the order in which it is tried: (what it is called, value)."""


@dataclass(frozen=True)
class SliceHeader:
    """One slice.

    Attributes:
        instance: The instance it belongs to.
        frame: Index of the frame in the instance, from 0.
        position_lps: Centre of the first pixel, LPS mm.
        row_lps: Unit vector along which columns grow, LPS.
        column_lps: Unit vector along which rows grow, LPS.
        spacing: (row, column) mm.
        slope: Rescale slope.
        intercept: Rescale intercept.
        facts: Acquisition facts of this slice.
        image_type: Values of ImageType, or FrameType of the frame; upper case.
        marks: What tells it from other slices at its place.
        rank: Acquisition order as stated; believed only where nothing else tells slices at one place apart.
        left_out: Why this frame is not read, or None.
    """

    instance: InstanceHeader
    frame: int
    position_lps: NDArray[np.float64]
    row_lps: NDArray[np.float64]
    column_lps: NDArray[np.float64]
    spacing: tuple[float, float]
    slope: float
    intercept: float
    facts: dict[str, float | str]
    image_type: tuple[str, ...] = ()
    marks: Marks = ()
    rank: tuple[float, ...] = ()
    left_out: str | None = None

    @property
    def normal_lps(self) -> NDArray[np.float64]:
        """Unit normal of the slice, LPS."""
        return np.cross(self.row_lps, self.column_lps)


def classic_slices(dataset: Dataset, instance: InstanceHeader) -> list[SliceHeader]:
    """Return the slice of a single-frame instance; empty when it does not say where it lies."""
    if instance.frames != 1:
        return []
    single = placed_slice(
        instance,
        0,
        position=numbers(dataset, "ImagePositionPatient"),
        orientation=numbers(dataset, "ImageOrientationPatient"),
        spacing=numbers(dataset, "PixelSpacing"),
        rescale=(number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")),
        facts=dict(instance.facts),
        image_type=instance.image_type,
        marks=_classic_marks(dataset, instance),
        rank=(number(dataset, "InstanceNumber") or 0.0,),
    )
    return [] if single is None else [single]


def placed_slice(
    instance: InstanceHeader,
    frame: int,
    *,
    position: tuple[float, ...] | None,
    orientation: tuple[float, ...] | None,
    spacing: tuple[float, ...] | None,
    rescale: tuple[float | None, float | None],
    facts: dict[str, float | str],
    image_type: tuple[str, ...],
    marks: Marks,
    rank: tuple[float, ...],
    left_out: str | None = None,
) -> SliceHeader | None:
    """Return the slice, or None when its place is missing or cannot be.

    Args:
        instance: Its instance.
        frame: Index from 0.
        position: Image Position (Patient), LPS mm.
        orientation: Image Orientation (Patient), LPS: row direction, column direction.
        spacing: Pixel Spacing, (row, column) mm.
        rescale: Slope and intercept where told.
        facts: Acquisition facts.
        image_type: As in ``SliceHeader``.
        marks: As in ``SliceHeader``.
        rank: As in ``SliceHeader``.
        left_out: As in ``SliceHeader``.
    """
    if position is None or orientation is None or spacing is None:
        return None
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    if max(spacing) > FARTHEST_MM:
        return None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    is_square = abs(float(row @ column)) <= DIRECTION_TOLERANCE
    if max(abs(length - 1) for length in lengths) > DIRECTION_TOLERANCE or not is_square:
        return None
    if max(abs(value) for value in position) > FARTHEST_MM:
        return None
    slope = rescale[0] if rescale[0] else 1.0  # a slope of 0 would wipe the image; it stands for "not told"
    return SliceHeader(
        instance=instance,
        frame=frame,
        position_lps=np.array(position),
        row_lps=row / lengths[0],
        column_lps=column / lengths[1],
        spacing=(spacing[0], spacing[1]),
        slope=slope,
        intercept=rescale[1] or 0.0,
        facts=facts,
        image_type=image_type,
        marks=marks,
        rank=rank,
        left_out=left_out,
    )


def _classic_marks(dataset: Dataset, instance: InstanceHeader) -> Marks:
    return (
        ("echo time", instance.facts.get("echo_time_ms")),
        ("image type", instance.image_type),
        ("temporal position", whole(dataset, "TemporalPositionIdentifier")),
        ("diffusion weighting", instance.facts.get("diffusion_b_value")),
        ("inversion time", instance.facts.get("inversion_time_ms")),
        ("flip angle", instance.facts.get("flip_angle_deg")),
        ("trigger time", number(dataset, "TriggerTime")),
        ("acquisition number", whole(dataset, "AcquisitionNumber")),
    )
