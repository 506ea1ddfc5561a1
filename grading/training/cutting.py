"""From series with a position to what a case holds: strips of the middle slices, and windows with a margin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.config import GraderConfig
from grading.crops import normalise_crops
from grading.training.cases import CaseSlice, CaseWindows, Points, make_strip, to_bytes
from grading.views import SIDES, LevelFrame, Placement, View, cut_window, smooth_for_view
from imaging.types import AffineMatrix, FloatVolume, Plane

PLACEMENT = Placement(margin=1.4, slices=5)
"""Margin and slices that windows are stored with: what jitter needs."""

_NEIGHBOURS = 1  # slices beside the middle one that may stand in for it


@dataclass(frozen=True)
class CaseSeries:
    """One series to cut from.

    Attributes:
        plane: Orientation.
        sequence: ``t1``, ``t2`` ...
        array: (I, J, K) intensities.
        affine: Voxel (i, j, k) -> RAS+ mm.
    """

    plane: Plane
    sequence: str
    array: FloatVolume
    affine: AffineMatrix


def case_slices(
    series: Sequence[CaseSeries], frames: Mapping[str, LevelFrame], config: GraderConfig, name: str
) -> Iterator[CaseSlice]:
    """Yield the middle slice of each sagittal sequence that the network takes, and its neighbours.

    Args:
        series: Of one patient.
        frames: Level -> frame; at least two.
        config: Sequences and crops.
        name: For the slices.
    """
    for item in series:
        if item.plane is not Plane.SAGITTAL or item.sequence not in config.network.sequences:
            continue
        inverse = np.linalg.inv(item.affine)
        places = {level: (inverse @ [*frame.origin, 1.0])[:3] for level, frame in frames.items()}
        middle = round(float(np.median([place[2] for place in places.values()])))
        points: Points = {level: (float(place[0]), float(place[1])) for level, place in places.items()}
        for k in range(middle - _NEIGHBOURS, middle + _NEIGHBOURS + 1):
            if 0 <= k < item.array.shape[2]:
                image = np.asarray(item.array[:, :, k].T, dtype=np.float32)
                strip = make_strip(item.sequence, name, image, points, config)
                yield replace(strip, image=_bytes_of_strip(strip.image))


def case_windows(
    series: Sequence[CaseSeries], frames: Mapping[str, LevelFrame], view: View, config: GraderConfig
) -> CaseWindows:
    """Return the windows of one view with a margin, from the first series that fits it."""
    levels = config.network.levels
    size = (round(view.rows * PLACEMENT.margin), round(view.cols * PLACEMENT.margin))
    images = np.zeros((len(levels), len(SIDES), PLACEMENT.slices or view.slices, *size), dtype=np.float32)
    present = np.zeros(images.shape[:2], dtype=bool)
    found = next((item for item in series if (item.plane, item.sequence) == (view.plane, view.sequence)), None)
    if found is not None:
        pitch = float(np.median([frame.pitch_mm for frame in frames.values()]))
        smooth = smooth_for_view(found.array, float(np.linalg.norm(found.affine[:3, 0])), pitch, view)
        for name, frame in frames.items():
            for number, side in enumerate(SIDES):
                cut = cut_window(smooth, found.affine, frame, view, side, PLACEMENT)
                if cut is not None:
                    place = levels.index(name), number
                    images[place], present[place] = cut.image, True
    return CaseWindows(_to_bytes(images, present, view), present)


def _bytes_of_strip(image: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    top = max(float(np.percentile(image, 99.8)), 1e-6)
    return np.asarray(np.clip(image / top * 255, 0, 255).round(), dtype=np.uint8)


def _to_bytes(images: NDArray[np.float32], present: NDArray[np.bool_], view: View) -> NDArray[np.uint8]:
    """Normalise by what a reading would see (no margin, the middle slices) and store in bytes."""
    stored = np.zeros(images.shape, dtype=np.uint8)
    if not present.any():
        return stored
    rows, cols = (images.shape[3] - view.rows) // 2, (images.shape[4] - view.cols) // 2
    extra = (images.shape[2] - view.slices) // 2
    core = images[present][:, extra : extra + view.slices, rows : rows + view.rows, cols : cols + view.cols]
    stored[present] = to_bytes(normalise_crops(images[present], like=core))
    return stored
