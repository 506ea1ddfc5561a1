"""Peaks of the level maps: where the network itself sees each level's posterior disc margin."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame
from segmentation.types import SliceMaps

PEAK_FLOOR = 0.15
"""Lower maxima are background."""


@dataclass(frozen=True, eq=False)
class Peak:
    """The maximum of one level's map.

    Attributes:
        point: Plane point, refined below the map's grid by the centre of gravity of the 5 x 5 cells around.
        value: Height of the map there, 0 to 1.
    """

    point: Points
    value: float


def find_peaks(maps: SliceMaps, frame: SliceFrame) -> dict[str, Peak]:
    """Return the peak of each level map of one slice (N = 1); levels without one are left out."""
    peaks = {}
    for name, level_map in zip(maps.level_names, maps.level_maps[0], strict=True):
        value = float(level_map.max(initial=0.0))
        if value >= PEAK_FLOOR:
            peaks[name] = Peak(frame.to_plane(_refined(level_map, maps.level_stride)), value)
    return peaks


def peak_near(maps: SliceMaps, frame: SliceFrame, is_near: Callable[[Points], NDArray[np.bool_]]) -> Peak | None:
    """Return the highest point of all level maps together inside a part of the plane; None without one.

    Args:
        maps: The network's output for one slice (N = 1).
        frame: The slice's plane.
        is_near: Plane points (n, 2) -> which of them belong to the part.
    """
    if not maps.level_maps.size:
        return None
    together = maps.level_maps[0].max(axis=0)
    rows, columns = np.nonzero(together >= PEAK_FLOOR)
    stride = np.array(maps.level_stride)[::-1]
    points = frame.to_plane(np.stack([columns, rows], axis=1) * stride + (stride - 1) / 2)
    inside = is_near(points)
    if not inside.any():
        return None
    kept = np.zeros_like(together)
    kept[rows[inside], columns[inside]] = together[rows[inside], columns[inside]]
    return Peak(frame.to_plane(_refined(kept, maps.level_stride)), float(kept.max()))


def _refined(level_map: NDArray[np.float32], stride: tuple[float, float]) -> tuple[float, float]:
    """Return the peak (x, y) in pixels of the original slice."""
    row, column = np.unravel_index(int(np.argmax(level_map)), level_map.shape)
    rows = slice(max(0, int(row) - 2), int(row) + 3)
    columns = slice(max(0, int(column) - 2), int(column) + 3)
    window = level_map[rows, columns].astype(np.float64)
    weights = np.clip(window - 0.5 * window.max(), 0.0, None)
    grid_y, grid_x = np.mgrid[
        rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]
    ]
    y = float((grid_y * weights).sum() / weights.sum())
    x = float((grid_x * weights).sum() / weights.sum())
    return x * stride[1] + (stride[1] - 1) / 2, y * stride[0] + (stride[0] - 1) / 2
