"""Front-to-back width of the spinal canal at a disc.

The canal's direction at the level is the principal direction of its mask near the disc margin; the width is
taken at right angles to it on lines across the height of the disc's rear end; the smallest of these (averaged
over about two pixels of height) is reported: a bulge narrows the canal at one height only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.disc_height import Line, line_between
from segmentation.frame import Points, SliceFrame
from segmentation.profiles import run_along

NOT_VISIBLE = "the spinal canal is not outlined at this level"
INTERRUPTED = "the outline of the spinal canal is interrupted at this level"
_NEAR = 0.7
"""Canal within this many pitches of the disc margin gives the direction."""
_REACH = (-0.5, 1.1)
"""Lines run from before the disc margin to behind the canal, in pitches."""


@dataclass(frozen=True)
class CanalMeasure:
    """Canal width in plane units with its line; ``reason`` says why there is none."""

    value: float | None
    line_px: Line | None
    reason: str | None


def measure_canal(
    canal: NDArray[np.float32],
    posterior: Points,
    height: float,
    pitch: float,
    frame: SliceFrame,
) -> CanalMeasure:
    """Measure the canal behind one disc.

    Args:
        canal: Canal mask or probability, (rows, columns), 0 to 1.
        posterior: Posterior disc margin, plane.
        height: Height of the disc's rear end, plane units.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    direction = _direction(canal, posterior, pitch, frame)
    if direction is None:
        return CanalMeasure(None, None, NOT_VISIBLE)
    across = np.array([direction[1], -direction[0]])  # turned from caudal to the back
    half = max(height / 2, 2 * frame.pixel_side)
    step = frame.pixel_side / 2
    places = np.arange(-half, half + step / 2, step)
    reach = (_REACH[0] * pitch, _REACH[1] * pitch)
    runs = [
        run_along(canal, posterior + place * direction, across, reach, frame, nearest_to=0.1 * pitch)
        for place in places
    ]
    if all(run is None for run in runs):
        return CanalMeasure(None, None, NOT_VISIBLE)
    if any(run is None for run in runs):
        return CanalMeasure(None, None, INTERRUPTED)
    ends = np.array([run for run in runs if run is not None])
    widths = ndimage.uniform_filter1d(ends[:, 1] - ends[:, 0], size=min(5, len(ends)), mode="nearest")
    narrowest = int(np.argmin(widths))
    start = posterior + places[narrowest] * direction
    line = line_between(start + ends[narrowest, 0] * across, start + ends[narrowest, 1] * across, frame)
    return CanalMeasure(float(widths[narrowest]), line, None)


def _direction(canal: NDArray[np.float32], posterior: Points, pitch: float, frame: SliceFrame) -> Points | None:
    """Return the canal's direction near a point, towards the feet; None with too little canal."""
    rows, columns = np.nonzero(canal >= 0.5)
    points = frame.to_plane(np.stack([columns, rows], axis=1))
    near = points[np.linalg.norm(points - posterior, axis=1) < _NEAR * pitch] if len(points) else points
    if len(near) < 12:
        return None
    offsets = near - near.mean(axis=0)
    direction: Points = np.linalg.eigh(offsets.T @ offsets)[1][:, -1]
    return direction if direction[1] >= 0 else -direction
