"""What a grader is trained on: strips round the chain of levels, windows of views, and labels. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grading.biomarkers import Values
from grading.config import GraderConfig
from grading.crops import Point, crop_frames, lay_frames, smooth_for_crops

Points = dict[str, Point]
"""Level -> posterior point (x, y) in pixels."""

_MARGIN_PITCHES = 2.5  # kept round the chain, more than any jittered window reaches


@dataclass(frozen=True)
class CaseSlice:
    """One slice of a patient, cut to a strip round the chain.

    Attributes:
        sequence: ``t2``, ``t1`` ...
        file: Name of the slice.
        image: Strip (rows, columns), smoothed for sampling; float32, or uint8 where it is made up.
        points: Level -> posterior point (x, y) in pixels of the strip.
        biomarkers: Level -> (M,) of ``grading.biomarkers``, NaN where unknown; a level may be missing.
    """

    sequence: str
    file: str
    image: NDArray[np.float32] | NDArray[np.uint8]
    points: Points
    biomarkers: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseWindows:
    """The windows of one view with a margin, so that they can be moved, turned and scaled.

    Attributes:
        images: (L, 2, slices, rows, columns) uint8 (``to_bytes`` of normalised greys); 0 where not present.
        present: (L, 2) bool.
    """

    images: NDArray[np.uint8]
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """One patient.

    Attributes:
        patient: Number; SPIDER's own, or the seed of a phantom.
        slices: Slices with points; several of one sequence are alternatives.
        labels: (L, columns of ``grading.heads.label_columns``) step of each scale, -1 where not graded.
        windows: View -> windows; a view may be missing.
        boxes: (L, 4) boxes of cord compression as the network lays them, NaN where there is none; None where
            nobody drew any.
    """

    patient: int
    slices: tuple[CaseSlice, ...]
    labels: NDArray[np.int64]
    windows: Mapping[str, CaseWindows] = field(default_factory=dict)
    boxes: NDArray[np.float32] | None = None


def make_strip(
    sequence: str, file: str, image: NDArray[np.float32], points: Points, config: GraderConfig
) -> CaseSlice:
    """Smooth a slice and keep the part round the chain, wide enough that only the slice's own border cuts."""
    frames = crop_frames(points)
    smooth = smooth_for_crops(image, lay_frames(points, config.crops), config.crops)
    margin = round(_MARGIN_PITCHES * max(frame.pitch for frame in frames))
    chain = np.array([frame.origin_px for frame in frames])
    x0, y0 = np.maximum(np.floor(chain.min(0)).astype(int) - margin, 0)
    x1, y1 = np.maximum(np.ceil(chain.max(0)).astype(int) + margin + 1, 1)
    moved = {level: (x - float(x0), y - float(y0)) for level, (x, y) in points.items()}
    return CaseSlice(sequence, file, np.ascontiguousarray(smooth[y0:y1, x0:x1]), moved)


_LOW, _SPAN = -1.5, 3.5  # of normalised greys, -1.5 to 2


def to_bytes(normalised: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Store normalised greys (-1.5 to 2) in bytes."""
    return np.asarray(np.clip((normalised - _LOW) / _SPAN * 255, 0, 255).round(), dtype=np.uint8)


def from_bytes(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Undo ``to_bytes``."""
    return np.asarray(stored, dtype=np.float32) * np.float32(_SPAN / 255) + np.float32(_LOW)
