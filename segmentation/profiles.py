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
    first, last = runs_along(mask, origin[None], direction, reach, frame, nearest_to=nearest_to)[0]
    return None if np.isnan(first) else (float(first), float(last))


def runs_along(
    mask: NDArray[np.float32],
    origins: Points,
    direction: Points,
    reach: tuple[float, float],
    frame: SliceFrame,
    *,
    nearest_to: float = 0.0,
) -> NDArray[np.float64]:
    """Return ``run_along`` of many parallel lines at once.

    Args:
        mask: (rows, columns), 0 to 1.
        origins: (n, 2) plane points where the lines' coordinate is 0.
        direction: Unit vector of the lines in the plane.
        reach: First and last coordinate looked at, plane units.
        frame: The slice's plane.
        nearest_to: Coordinate that the runs should hold or lie close to.

    Returns:
        (n, 2) first and last coordinate of each run; nan where a line meets no mask.
    """
    step = frame.pixel_side / _STEPS_PER_PIXEL
    along = np.arange(reach[0], reach[1] + step, step)
    px = frame.to_px(origins[:, None] + along[:, None] * direction)
    values = _interpolated(mask, px)
    inside = np.zeros((len(origins), len(along) + 2), dtype=bool)
    inside[:, 1:-1] = values >= 0.5
    lines, starts = np.nonzero(inside[:, 1:] & ~inside[:, :-1])
    _, ends = np.nonzero(inside[:, :-1] & ~inside[:, 1:])
    ends = ends - 1
    found = np.full((len(origins), 2), np.nan)
    if len(lines) == 0:
        return found
    runs = np.stack(
        [_edges(along, values, lines, starts, -1), _edges(along, values, lines, ends, +1)],
        axis=1,
    )
    away = np.maximum(0.0, np.maximum(runs[:, 0] - nearest_to, nearest_to - runs[:, 1]))
    order = np.lexsort((starts, away, lines))
    chosen = order[np.unique(lines[order], return_index=True)[1]]
    found[lines[chosen]] = runs[chosen]
    return found


def _interpolated(mask: NDArray[np.float32], px: Points) -> NDArray[np.float32]:
    """Return a mask between its pixels, linearly; 0 outside."""
    return np.asarray(
        ndimage.map_coordinates(mask, [px[..., 1], px[..., 0]], order=1, mode="constant", cval=0.0),
        dtype=np.float32,
    )


def _edges(
    along: NDArray[np.float64],
    values: NDArray[np.float32],
    lines: NDArray[np.intp],
    samples: NDArray[np.intp],
    outward: int,
) -> NDArray[np.float64]:
    """Return where values pass one half between a sample inside and the next one outside; ends stay."""
    beyond = samples + outward
    has_next = (beyond >= 0) & (beyond < values.shape[1])
    beyond = np.where(has_next, beyond, samples)
    inside, outside = values[lines, samples].astype(np.float64), values[lines, beyond].astype(np.float64)
    share = np.where(has_next, (inside - 0.5) / np.where(has_next, inside - outside, 1.0), 0.0)
    return np.asarray(along[samples] + share * (along[beyond] - along[samples]), dtype=np.float64)
