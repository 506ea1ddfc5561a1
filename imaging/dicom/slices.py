"""Slices of an instance with their place: one for a classic MR image, one per frame for an enhanced one.

Source: DICOM PS3.3 C.7.6.2 (image plane) and C.7.6.16 (multi-frame functional groups).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.dicom.headers import InstanceHeader, element, number, numbers, text

_NESTED_FACTS = (
    ("echo_time_ms", "MREchoSequence", "EffectiveEchoTime"),
    ("repetition_time_ms", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    ("flip_angle_deg", "MRTimingAndRelatedParametersSequence", "FlipAngle"),
    ("slice_thickness_mm", "PixelMeasuresSequence", "SliceThickness"),
    ("slice_distance_mm", "PixelMeasuresSequence", "SpacingBetweenSlices"),
)


@dataclass(frozen=True)
class SliceHeader:
    """One slice.

    Attributes:
        instance: The instance it belongs to.
        frame: Index of the frame in the instance.
        position_lps: Centre of the first pixel, LPS mm.
        row_lps: Unit vector along which columns grow, LPS.
        column_lps: Unit vector along which rows grow, LPS.
        spacing: (row, column) mm.
        slope: Rescale slope.
        intercept: Rescale intercept.
        facts: Acquisition facts of this slice.
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

    @property
    def normal_lps(self) -> NDArray[np.float64]:
        """Unit normal of the slice, LPS."""
        return np.cross(self.row_lps, self.column_lps)


def slice_headers(dataset: Dataset, instance: InstanceHeader) -> list[SliceHeader]:
    """Return the slices of an instance; empty when it does not say where they lie."""
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return _enhanced(dataset, instance)
    if instance.frames != 1:
        return []
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    single = _slice(
        instance,
        0,
        position=numbers(dataset, "ImagePositionPatient"),
        orientation=numbers(dataset, "ImageOrientationPatient"),
        spacing=numbers(dataset, "PixelSpacing"),
        rescale=(slope, intercept),
        facts=dict(instance.facts),
    )
    return [] if single is None else [single]


def _enhanced(dataset: Dataset, instance: InstanceHeader) -> list[SliceHeader]:
    shared = _items(dataset, "SharedFunctionalGroupsSequence")
    frames = _items(dataset, "PerFrameFunctionalGroupsSequence")
    slices = [
        _enhanced_slice(instance, index, [frame, *shared[:1]])
        for index, frame in enumerate(frames[: instance.frames])
    ]
    return [item for item in slices if item is not None]


def _enhanced_slice(instance: InstanceHeader, index: int, groups: list[Dataset]) -> SliceHeader | None:
    facts: dict[str, float | str] = dict(instance.facts)
    for name, sequence, keyword in _NESTED_FACTS:
        value = number(_macro(groups, sequence), keyword)
        if value is not None:
            facts[name] = value
    inversion = numbers(_macro(groups, "MRModifierSequence"), "InversionTimes")
    if inversion:
        facts["inversion_time_ms"] = inversion[0]
    transform = _macro(groups, "PixelValueTransformationSequence")
    return _slice(
        instance,
        index,
        position=numbers(_macro(groups, "PlanePositionSequence"), "ImagePositionPatient"),
        orientation=numbers(_macro(groups, "PlaneOrientationSequence"), "ImageOrientationPatient"),
        spacing=numbers(_macro(groups, "PixelMeasuresSequence"), "PixelSpacing"),
        rescale=(number(transform, "RescaleSlope"), number(transform, "RescaleIntercept")),
        facts=facts,
    )


def has_inversion(dataset: Dataset) -> bool:
    """Say whether an enhanced instance names an inversion pulse."""
    groups = _items(dataset, "PerFrameFunctionalGroupsSequence")[:1] + _items(
        dataset, "SharedFunctionalGroupsSequence"
    )
    return text(_macro(groups, "MRModifierSequence"), "InversionRecovery").upper() == "YES"


def _slice(
    instance: InstanceHeader,
    frame: int,
    *,
    position: tuple[float, ...] | None,
    orientation: tuple[float, ...] | None,
    spacing: tuple[float, ...] | None,
    rescale: tuple[float | None, float | None],
    facts: dict[str, float | str],
) -> SliceHeader | None:
    """Return the slice, or None when its place is missing or cannot be."""
    if position is None or orientation is None or spacing is None:
        return None
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    # Headers round to about five digits.
    if not np.allclose(lengths, 1.0, atol=1e-2) or abs(float(row @ column)) > 1e-2:
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
    )


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = element(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []


def _macro(groups: list[Dataset], keyword: str) -> Dataset:
    """Return a functional group of the frame, else the shared one, else an empty dataset."""
    for group in groups:
        items = _items(group, keyword)
        if items:
            return items[0]
    return Dataset()
