"""Lengths along straight lines through a mask, with a precision finer than the pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.frame import Points, SliceFrame

_STEPS_PER_PIXEL = 4


def run_along(
    mask: NDArray[np.float32],
    origin: Points,
    direction: Points,
    reach: tuple[float, float],
    frame: SliceFrame,
    *,
    nearest_to: float = 0.0,
) -> tuple[float, float] | None:
    """Return the run of mask on a line that lies nearest to a place on it.

    The mask is interpolated linearly between pixel centres and cut at one half, so an edge lies where the mask
    passes one half.

    Args:
        mask: (rows, columns), 0 to 1.
        origin: Plane point where the line's coordinate is 0.
        direction: Unit vector of the line in the plane.
        reach: First and last coordinate looked at, plane units.
        frame: The slice's plane.
        nearest_to: Coordinate that the run should hold or lie close to.

    Returns:
        First and last coordinate of the run; None when the line meets no mask.
    """
    step = frame.pixel_side / _STEPS_PER_PIXEL
    along = np.arange(reach[0], reach[1] + step, step)
    px = frame.to_px(origin + along[:, None] * direction)
    values = ndimage.map_coordinates(mask, [px[:, 1], px[:, 0]], order=1, mode="constant", cval=0.0)
    inside = np.concatenate([[False], values >= 0.5, [False]])
    starts = np.flatnonzero(inside[1:] & ~inside[:-1])
    ends = np.flatnonzero(~inside[1:] & inside[:-1]) - 1
    if len(starts) == 0:
        return None
    runs = [
        (_edge(along, values, int(start), -1), _edge(along, values, int(end), +1))
        for start, end in zip(starts, ends, strict=True)
    ]
    return min(runs, key=lambda run: max(0.0, run[0] - nearest_to, nearest_to - run[1]))


def _edge(along: NDArray[np.float64], values: NDArray[np.float32], index: int, outward: int) -> float:
    """Return where the values pass one half between a sample inside and the next one outside."""
    beyond = index + outward
    if not 0 <= beyond < len(values):
        return float(along[index])
    inside, outside = float(values[index]), float(values[beyond])
    share = (inside - 0.5) / (inside - outside)
    return float(along[index] + share * (along[beyond] - along[index]))
